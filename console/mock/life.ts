import { type Db, iso } from './db'

const EVERY_MS = 7_000
const SAID_EVERY_MS = 1_500

/** Lets one runtime at a time fall silent and come back, so that the demo is alive. */
export function liveOn(db: Db): void {
  let turn = 0
  setInterval(() => db.telemetry.say(), SAID_EVERY_MS)
  setInterval(() => {
    const running = db.runtimes.filter((runtime) => runtime.id.includes('stock-level-prod'))
    const runtime = running[turn++ % running.length]
    if (!runtime) return
    runtime.silent = !runtime.silent
    if (runtime.silent) runtime.lastHeartbeatAt = iso(-30)
    else runtime.cameAt = iso(0)
    db.changed(runtime.silent ? 'OFFLINE' : 'RUNNING', runtime)
    if (!runtime.silent) db.desk.cameBack(runtime)
  }, EVERY_MS)
}
