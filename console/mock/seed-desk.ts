import { type Db, iso } from './db'
import type { CommandRecord, Desk, WishRecord } from './desk'

const DAY = 86_400
const MODULE = 'order-service'

/** What was asked before the demo began: one wish half done, one suspended, one that nobody hosts any more. */
export function seedDesk(db: Db, desk: Desk): void {
  const earlier = { suspendedReason: null, absentSince: null, history: [] }
  const level: WishRecord = {
    project: MODULE,
    integration: 'order-status',
    environment: 'prod',
    kind: 'LOGGER',
    name: 'order_status.client',
    package: '',
    aspect: 'LEVEL',
    value: 'DEBUG',
    version: 2,
    author: 'ada',
    setAt: iso(-380),
    ...earlier,
    history: [{ value: 'INFO', version: 1, author: 'admin', at: iso(-9 * DAY) }],
  }
  const dev = { project: MODULE, integration: 'order-status', environment: 'dev', author: 'ada' }
  desk.wishes.push(
    level,
    {
      ...dev,
      kind: 'LISTENER',
      name: 'admin',
      package: 'uvicorn',
      aspect: 'STATE',
      value: 'DISABLED',
      version: 1,
      setAt: iso(-20 * DAY),
      ...earlier,
      suspendedReason:
        'Another listener bears this name now: its port was 8081 and is 8091. Nothing is sent until it is asked for again.',
    },
    {
      ...dev,
      kind: 'SCHEDULE',
      name: 'hourly-cleanup',
      package: 'apscheduler',
      aspect: 'STATE',
      value: 'DISABLED',
      version: 3,
      setAt: iso(-40 * DAY),
      ...earlier,
      absentSince: iso(-9 * DAY),
    },
  )
  for (const runtime of db.runtimes.filter((each) => each.integration.handle === 'order-status')) {
    if (runtime.environment.handle !== 'prod' || runtime.silent) continue
    desk.commands.push(asked(runtime.id, level, runtime.temper === 'mute'))
  }
}

function asked(runtimeKey: string, wish: WishRecord, mute: boolean): CommandRecord {
  return {
    id: `s-${runtimeKey}`,
    runtimeKey,
    action: 'SET_LOGGER_LEVEL',
    kind: wish.kind,
    name: wish.name,
    package: wish.package,
    aspect: wish.aspect,
    value: wish.value,
    state: mute ? 'DELIVERED' : 'CONFIRMED',
    reason: mute ? 'Handed over; its outcome is not reported yet.' : 'The runtime reports what was asked for.',
    route: 'CHANNEL',
    author: wish.author,
    attempts: mute ? 4 : 1,
    queuedAt: wish.setAt,
    deliveredAt: mute ? iso(-15) : iso(-379),
    endedAt: mute ? null : iso(-378),
    nextAttemptAt: mute ? iso(5) : null,
    deadline: null,
    result: mute ? null : '{"outcome":"set","message":"Set to DEBUG."}',
    retryable: false,
  }
}
