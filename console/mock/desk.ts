import type * as api from '../src/api/generated/schema'
import { answerTo, changeUsers } from './answers'
import { type Db, iso, type RuntimeRecord, verdict } from './db'
import { obey, observe, type Target } from './observe'
import { seedDesk } from './seed-desk'

export type WishRecord = Target & {
  project: string
  integration: string
  environment: string
  /** Null: the wish was forgotten, its history stays. */
  value: string | null
  version: number
  author: string
  setAt: string
  suspendedReason: string | null
  absentSince: string | null
  history: api.DesiredChange[]
}
export type CommandRecord = Omit<api.Command, 'runtime'> & { runtimeKey: string; question?: api.AskRuntimeInput }
export type Place = { project: string; integration: string; environment: string }

/** How long the mock's steps take: by channel a runtime hears at once, by heartbeat it is asked when it beats. */
const BY_CHANNEL_MS = 500
const BY_HEARTBEAT_MS = 1_100
const CARRIED_OUT_MS = 900
const OFFERED_AGAIN_MS = 20_000
/** A command that is delivered for so long without an outcome has stalled. */
const STALLED_AFTER_S = 60

const OPEN: api.CommandState[] = ['QUEUED', 'DELIVERED']
export const isOpen = (command: { state: api.CommandState }) => OPEN.includes(command.state)

/** Wishes and commands: what is asked of runtimes, and how they take it. */
export class Desk {
  readonly wishes: WishRecord[] = []
  readonly commands: CommandRecord[] = []
  private readonly failedOnce = new Set<string>()
  private next = 1
  private readonly db: Db

  constructor(db: Db) {
    this.db = db
    seedDesk(db, this)
  }

  wish(place: Place, target: Target): WishRecord | undefined {
    return this.wishes.find((each) => sameTarget(each, target) && samePlace(each, place))
  }

  /** Notes what is asked from now on; what was asked before goes into the history. */
  note(place: Place, target: Target, value: string | null): WishRecord {
    let wish = this.wish(place, target)
    if (wish) {
      const { value: was, version, author, setAt: at } = wish
      wish.history = [{ value: was, version, author, at }, ...wish.history].slice(0, 20)
      Object.assign(wish, { value, version: version + 1, author: 'admin', setAt: iso(0), suspendedReason: null })
    } else {
      const fresh = {
        version: 1,
        author: 'admin',
        setAt: iso(0),
        suspendedReason: null,
        absentSince: null,
        history: [],
      }
      wish = { ...place, ...target, value, ...fresh }
      this.wishes.push(wish)
    }
    this.db.changed('DESIRED', null)
    return wish
  }

  /** Queues a command for each runtime that beats and differs; tells how many do not beat. */
  follow(place: Place, target: Target, value: string, reset = false): { commands: CommandRecord[]; waiting: number } {
    const runtimes = this.db.runtimes.filter((each) => samePlace(placeOf(each), place))
    const beating = runtimes.filter((each) => !each.silent && !each.unheard)
    const commands = beating
      .filter((each) => reset || observe(each, target)?.value !== value)
      .map((each) => this.queue(each, actionOf(target, value, reset), target, value))
    return { commands, waiting: runtimes.length - beating.length }
  }

  queue(
    runtime: RuntimeRecord,
    action: api.CommandAction,
    target: Partial<Target>,
    value: string | null,
    question?: api.AskRuntimeInput,
  ): CommandRecord {
    for (const earlier of this.commands) {
      const same = earlier.runtimeKey === runtime.id && target.aspect && isSame(earlier, target)
      if (same && isOpen(earlier))
        this.move(earlier, { state: 'SUPERSEDED', reason: 'A newer wish took its place.', endedAt: iso(0) })
      if (same) earlier.retryable = false
    }
    const command: CommandRecord = {
      id: `c${String(this.next++).padStart(5, '0')}`,
      runtimeKey: runtime.id,
      action,
      kind: target.kind ?? null,
      name: target.name ?? '',
      package: target.package ?? '',
      aspect: target.aspect ?? null,
      value,
      state: 'QUEUED',
      reason: runtime.channel?.connected
        ? 'Goes out over the channel.'
        : 'Waits for the next heartbeat of the runtime.',
      route: null,
      author: 'admin',
      attempts: 0,
      queuedAt: iso(0),
      deliveredAt: null,
      endedAt: null,
      nextAttemptAt: null,
      deadline: target.aspect ? null : iso(60),
      result: null,
      retryable: false,
      ...(question ? { question } : {}),
    }
    this.commands.unshift(command)
    this.db.changed('COMMAND', runtime, command)
    setTimeout(() => this.deliver(command), runtime.channel?.connected ? BY_CHANNEL_MS : BY_HEARTBEAT_MS)
    return command
  }

  private deliver(command: CommandRecord): void {
    const runtime = this.runtimeOf(command)
    if (!runtime || !isOpen(command)) return
    if (runtime.silent) {
      this.move(command, { reason: 'The runtime is offline; it is handed over when it comes back.' })
      return
    }
    const route = runtime.type === 'MI' ? 'MANAGEMENT_API' : runtime.channel?.connected ? 'CHANNEL' : 'HEARTBEAT'
    this.move(command, {
      state: 'DELIVERED',
      reason: 'Handed over; its outcome is not reported yet.',
      route,
      attempts: command.attempts + 1,
      deliveredAt: iso(0),
      nextAttemptAt: iso(OFFERED_AGAIN_MS / 1_000),
    })
    if (runtime.temper === 'mute') setTimeout(() => this.deliver(command), OFFERED_AGAIN_MS)
    else setTimeout(() => this.end(command), CARRIED_OUT_MS)
  }

  private end(command: CommandRecord): void {
    const runtime = this.runtimeOf(command)
    if (!runtime || !isOpen(command)) return
    const key = `${runtime.id} ${command.action} ${command.kind} ${command.name}`
    if (runtime.temper === 'fails' && command.aspect && !this.failedOnce.has(key)) {
      this.failedOnce.add(key)
      this.move(command, {
        state: 'FAILED',
        reason: 'The runtime refused: 2 requests did not end within 30 s (`BUSY`). Try again when they are done.',
        endedAt: iso(0),
        nextAttemptAt: null,
        retryable: true,
      })
      return
    }
    const refused = changeUsers(runtime, command)
    if (refused) {
      this.move(command, { state: 'FAILED', reason: refused, endedAt: iso(0), nextAttemptAt: null })
      return
    }
    const { kind, name, package: from, aspect, value } = command
    if (kind && aspect && command.action === 'RESET_LOGGER_LEVEL') {
      obey(runtime, { kind, name, package: from, aspect }, runtime.programLevels[name] ?? 'INFO')
    } else if (kind && aspect && value) obey(runtime, { kind, name, package: from, aspect }, value)
    if (command.action === 'RESTART') restarted(runtime)
    this.move(command, {
      state: 'CONFIRMED',
      reason: aspect ? 'The runtime reports what was asked for.' : 'The runtime carried it out.',
      endedAt: iso(0),
      nextAttemptAt: null,
      result: answerTo(runtime, command),
    })
    this.db.changed(command.action === 'RESTART' ? 'RUNNING' : 'REPORTED', runtime)
  }

  private move(command: CommandRecord, change: Partial<CommandRecord>): void {
    Object.assign(command, change)
    const runtime = this.runtimeOf(command)
    if (runtime) this.db.changed('COMMAND', runtime, command)
  }

  retry(id: string): CommandRecord | undefined {
    const command = this.commands.find((each) => each.id === id)
    const runtime = command && this.runtimeOf(command)
    if (!command?.retryable || !runtime) return undefined
    const { kind, name, package: from, aspect } = command
    return this.queue(
      runtime,
      command.action,
      { ...(kind ? { kind } : {}), name, package: from, ...(aspect ? { aspect } : {}) },
      command.value ?? null,
    )
  }

  /** A runtime that comes back is told what was asked meanwhile. */
  cameBack(runtime: RuntimeRecord): void {
    for (const wish of this.wishes.filter((each) => samePlace(each, placeOf(runtime)))) {
      const observed = observe(runtime, wish)
      if (!wish.value || wish.suspendedReason || !observed || observed.value === wish.value) continue
      this.queue(runtime, actionOf(wish, wish.value), wish, wish.value)
    }
  }

  changesOf(runtime: RuntimeRecord): api.RuntimeChanges {
    const own = this.commands.filter((each) => each.runtimeKey === runtime.id)
    const open = own.filter(isOpen)
    const failed = own.filter((each) => each.state === 'FAILED' && each.retryable)
    const late = open.filter(
      (each) => each.deliveredAt && Date.parse(each.queuedAt) < Date.now() - STALLED_AFTER_S * 1_000,
    )
    const numbers = { openCommands: open.length, failedCommands: failed.length }
    if (failed[0]) return { state: 'STALLED', reason: `${said(failed[0])} failed. ${failed[0].reason}`, ...numbers }
    if (late[0]) {
      const reason = `${said(late[0])} was delivered ${late[0].attempts} times and its outcome is not reported, though heartbeats arrive.`
      return { state: 'STALLED', reason, ...numbers }
    }
    if (open.length > 0) return { state: 'CHANGING', reason: 'Commands are on their way.', ...numbers }
    return { state: 'IN_SYNC', reason: 'It reports everything that is desired of it.', ...numbers }
  }

  commandsOf(filter: api.CommandFilter | null | undefined) {
    return this.commands
      .filter((each) => {
        const runtime = this.runtimeOf(each)
        return (
          runtime &&
          (!filter?.runtime || filter.runtime === runtime.id) &&
          (!filter?.environment || filter.environment === runtime.environment.handle) &&
          (!filter?.project || filter.project === runtime.project.handle) &&
          (!filter?.integration || filter.integration === runtime.integration.handle) &&
          (!filter?.states || filter.states.includes(each.state))
        )
      })
      .map((each) => this.view(each))
  }

  view(command: CommandRecord) {
    const runtime = this.runtimeOf(command)
    return { ...command, runtime: runtime && viewRef(runtime) }
  }

  private runtimeOf(command: CommandRecord): RuntimeRecord | undefined {
    return this.db.runtimes.find((each) => each.id === command.runtimeKey)
  }
}

function said({ action, name, value }: CommandRecord): string {
  return `${action}${name ? ` of \`${name}\`` : ''}${action === 'SET_LOGGER_LEVEL' ? ` to ${value}` : ''}`
}

function restarted(runtime: RuntimeRecord): void {
  runtime.cameAt = iso(0)
  runtime.node = { ...runtime.node, processId: (runtime.node.processId ?? 0) + 1, startedAt: iso(0) }
}

export function viewRef(record: RuntimeRecord) {
  const { id, runtimeId, name, type, environment, project, integration } = record
  return { id, runtimeId, name, type, environment, project, integration, status: verdict(record).status }
}

export function placeOf({ project, integration, environment }: RuntimeRecord): Place {
  return { project: project.handle, integration: integration.handle, environment: environment.handle }
}

export function samePlace(a: Place, b: Place): boolean {
  return a.project === b.project && a.integration === b.integration && a.environment === b.environment
}

export function sameTarget(a: Target, b: Target): boolean {
  return a.kind === b.kind && a.name === b.name && a.package === b.package && a.aspect === b.aspect
}

function isSame(command: CommandRecord, target: Partial<Target>): boolean {
  return (
    command.kind === target.kind &&
    command.name === target.name &&
    command.package === target.package &&
    command.aspect === target.aspect
  )
}

function actionOf({ aspect }: Target, value: string, reset = false): api.CommandAction {
  const on = value === 'ENABLED'
  if (aspect === 'LEVEL') return reset ? 'RESET_LOGGER_LEVEL' : 'SET_LOGGER_LEVEL'
  if (aspect === 'TRACING') return on ? 'ENABLE_TRACING' : 'DISABLE_TRACING'
  if (aspect === 'STATISTICS') return on ? 'ENABLE_STATISTICS' : 'DISABLE_STATISTICS'
  return on ? 'START' : 'STOP'
}
