import type { CommandRowFragment, CommandState } from '@/api/generated/operations'
import { asProblem } from '@/api/problem'
import type { RuntimeChange } from '@/live/subscription'
import { bulk } from '@/strings/bulk'
import { runtimeLabel } from '@/util/runtime-label'

const words = bulk.progress

/** A browser holds six connections to a host, and the line is one of them. */
const AT_ONCE = 4
/** The line may be cut off: commands under way are asked for at this pace. */
const ASK_EVERY_MS = 3_000
const ASKED_AT_ONCE = 10

export type LineState = 'WAITING' | 'SENDING' | 'REFUSED' | 'DONE' | 'STOPPED' | CommandState
type Command = CommandRowFragment

export type Line = {
  key: string
  label: string
  state: LineState
  reason: string
  /** The runtime that it is about. */
  runtime?: string
  command?: string
  retryable: boolean
}

/** What came of one request: a command to follow, several of them, or all that there is. */
export type Outcome = { command: Command } | { commands: Command[]; said: string } | { said: string }

export type Task = { key: string; label: string; runtime?: string; send: () => Promise<Outcome> }

/** What a run needs of the outside. */
export type World = {
  listen: (take: (change: RuntimeChange) => void) => () => void
  /** The newest changes that were told, oldest first. */
  recent: () => RuntimeChange[]
  read: (command: string) => Promise<Command | null>
  retry: (command: string) => Promise<Command>
}

export type Progress = { title: string; lines: readonly Line[]; ended: number; bad: number; over: boolean }

const BAD: LineState[] = ['REFUSED', 'FAILED', 'EXPIRED']
const UNDER_WAY: LineState[] = ['WAITING', 'SENDING', 'QUEUED', 'DELIVERED']
export const isBad = ({ state }: Line) => BAD.includes(state)
const isUnderWay = ({ state }: Line) => UNDER_WAY.includes(state)

/** Asks many things a few at a time, and follows each until it has ended; it goes on whatever page is shown. */
export class BulkRun {
  private readonly lines = new Map<string, Line>()
  private readonly tasks = new Map<string, Task>()
  private readonly waiting: Task[]
  private readonly watchers = new Set<() => void>()
  private readonly title: string
  private readonly world: World
  private now: Progress
  private sending = 0
  private unlisten: (() => void) | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(title: string, tasks: Task[], world: World) {
    this.title = title
    this.world = world
    this.waiting = [...tasks]
    for (const task of tasks) {
      this.tasks.set(task.key, task)
      this.lines.set(task.key, lineOf(task, 'WAITING', words.waiting))
    }
    this.now = this.look()
  }

  watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  progress = (): Progress => this.now

  start(): void {
    this.attend()
    while (this.sending < AT_ONCE && this.waiting.length > 0) {
      const task = this.waiting.shift()
      if (task) void this.send(task)
    }
  }

  /** Listens for as long as something is under way. */
  private attend(): void {
    if (this.now.over) return
    this.unlisten ??= this.world.listen(({ command }) => command && this.follow(command))
    this.timer ??= setTimeout(() => void this.ask(), ASK_EVERY_MS)
  }

  /** What was not asked yet is not asked any more. */
  stop(): void {
    for (const { key } of this.waiting.splice(0)) this.set(key, { state: 'STOPPED', reason: words.stopped })
  }

  async again(key: string): Promise<void> {
    const line = this.lines.get(key)
    const task = this.tasks.get(key)
    if (!line || !isBad(line) || !line.retryable) return
    if (line.command === undefined) {
      if (!task) return
      this.waiting.push(task)
      this.set(key, { state: 'WAITING', reason: words.waiting })
      this.start()
      return
    }
    this.set(key, { state: 'SENDING', reason: words.sending })
    this.start()
    try {
      this.adopt(key, await this.world.retry(line.command))
    } catch (error) {
      this.set(key, { state: 'FAILED', reason: reasonOf(error) })
    }
  }

  againAll(): void {
    for (const line of [...this.lines.values()]) if (isBad(line) && line.retryable) void this.again(line.key)
  }

  private async send(task: Task): Promise<void> {
    this.sending += 1
    this.set(task.key, { state: 'SENDING', reason: words.sending })
    try {
      const outcome = await task.send()
      if ('command' in outcome) this.adopt(task.key, outcome.command)
      else {
        this.set(task.key, { state: 'DONE', reason: outcome.said, retryable: false })
        for (const each of 'commands' in outcome ? outcome.commands : []) this.adopt(each.id, each)
      }
    } catch (error) {
      this.set(task.key, { state: 'REFUSED', reason: reasonOf(error), retryable: true })
    }
    this.sending -= 1
    this.start()
  }

  /** Follows a command from now on; the line may have told more of it than the answer. */
  private adopt(key: string, command: Command): void {
    const { runtime } = command
    if (!this.lines.has(key))
      this.lines.set(key, lineOf({ key, label: runtimeLabel(runtime), runtime: runtime.id }, 'QUEUED', ''))
    this.set(key, { ...stepOf(command), command: command.id })
    this.attend()
    for (const change of this.world.recent()) if (change.command) this.follow(change.command)
  }

  private follow(command: Command): void {
    for (const line of this.lines.values()) if (line.command === command.id) this.set(line.key, stepOf(command))
  }

  private async ask(): Promise<void> {
    const open = [...this.lines.values()].filter((line) => line.command !== undefined && isUnderWay(line))
    await Promise.all(
      open.slice(0, ASKED_AT_ONCE).map(async (line) => {
        const command = await this.world.read(line.command ?? '').catch(() => null)
        if (command) this.follow(command)
      }),
    )
    this.timer = undefined
    this.attend()
  }

  private set(key: string, change: Partial<Line>): void {
    const line = this.lines.get(key)
    if (!line) return
    // What has ended does not go back to where it was: an answer may be older than what the line told.
    if (change.command === undefined && !isUnderWay(line) && isStep(change)) return
    this.lines.set(key, { ...line, ...change })
    this.now = this.look()
    if (this.now.over) {
      this.unlisten?.()
      this.unlisten = undefined
      clearTimeout(this.timer)
      this.timer = undefined
    }
    for (const watcher of this.watchers) watcher()
  }

  private look(): Progress {
    const lines = [...this.lines.values()]
    const under = lines.filter(isUnderWay).length
    return { title: this.title, lines, ended: lines.length - under, bad: lines.filter(isBad).length, over: under === 0 }
  }
}

const isStep = ({ state }: Partial<Line>) => state === 'QUEUED' || state === 'DELIVERED'

function lineOf({ key, label, runtime }: Omit<Task, 'send'>, state: LineState, reason: string): Line {
  return { key, label, state, reason, retryable: false, ...(runtime === undefined ? {} : { runtime }) }
}

function stepOf({ state, reason, retryable }: Command) {
  return { state, reason, retryable }
}

/** Why a request failed, with what to do. */
function reasonOf(error: unknown): string {
  return asProblem(error)
    .refusals.map(({ message, fix }) => (fix ? `${message} ${fix}` : message))
    .join(' ')
}
