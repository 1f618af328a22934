import { type Db, iso, type RuntimeRecord } from './db'
import { makeRuntime } from './seed'

const TICK_MS = 20

/** Adds so many runtimes to an environment, over all integrations, named in the order in which they are listed. */
export function growFleet(db: Db, count: number, environment = 'staging'): RuntimeRecord[] {
  const fleet: RuntimeRecord[] = []
  for (let number = 1; number <= count; number++) {
    const integration = db.integrations[number % db.integrations.length]
    if (!integration) break
    fleet.push(makeRuntime(db, integration, environment, `fleet-${String(number).padStart(5, '0')}`, number % 200))
  }
  db.runtimes.push(...fleet)
  return fleet
}

/** Lets a fleet change so often, over all of it; one change in three turns a status. Returns how to end it. */
export function storm(db: Db, fleet: RuntimeRecord[], perSecond: number): () => void {
  let turn = 0
  let due = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    due += ((now - last) * perSecond) / 1_000
    last = now
    for (; due >= 1; due--) {
      // A step that is coprime to the number of runtimes reaches all of them in a scattered order.
      const runtime = fleet[(turn++ * 7_919) % fleet.length]
      if (runtime) change(db, runtime, turn)
    }
  }, TICK_MS)
  return () => clearInterval(timer)
}

function change(db: Db, runtime: RuntimeRecord, turn: number): void {
  if (turn % 3 > 0) {
    db.changed('REPORTED', runtime)
    return
  }
  runtime.silent = !runtime.silent
  if (runtime.silent) runtime.lastHeartbeatAt = iso(-30)
  else runtime.cameAt = iso(0)
  db.changed(runtime.silent ? 'OFFLINE' : 'RUNNING', runtime)
}
