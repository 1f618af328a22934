import { onceSignedIn } from '@/api/ended'
import { RuntimeChangedDocument, type RuntimeChangedSubscription, type RuntimeFilter } from '@/api/generated/operations'
import { ApiProblem } from '@/api/problem'
import { type Document, refusalsOf, sendDocument, signedOut } from '@/api/request'
import { problemOf } from '@/api/send'
import { EventParser } from '@/api/sse'
import { API } from '@/util/paths'

export type RuntimeChange = RuntimeChangedSubscription['runtimeChanged']

export type LineState =
  | { state: 'catching-up' }
  | { state: 'live' }
  | { state: 'cut-off'; since: number; problem: ApiProblem | undefined }

/** What most subscriptions tell: where they stand, and whether something was lost. */
type Told = { sequence: number; resync: boolean }

type Cursor = number | string

export type LineOptions<Change = RuntimeChange, Filter = RuntimeFilter, After extends Cursor = number> = {
  filter?: Filter
  /** The last change that was seen; null begins now. */
  after: After | null
  onChange: (change: Change) => void
  onState: (state: LineState) => void
  /** Seams for tests. */
  fetch?: typeof globalThis.fetch
  random?: () => number
}

/** The server sends a comment every 15 s: after this long without one the line is dead, whatever TCP believes. */
export const SILENCE_MS = 40_000
/** No change for this long after the answer began: what was missed has been sent. */
export const SETTLED_MS = 250
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000

/** Doubling wait with full jitter below it, so that a thousand consoles do not return in the same second. */
export function backOff(attempt: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt)
  return ceiling / 2 + (ceiling / 2) * random()
}

const open = new Set<() => void>()

/** Lines that wait for their next attempt make it now. */
export function retryNow(): void {
  for (const wake of open) wake()
}

/** Keeps one subscription open until it is closed, resuming after the last sequence that was seen. */
export function openLine(options: LineOptions): () => void {
  return openLineOf(RuntimeChangedDocument, options)
}

/** The same for any subscription of one field that takes a filter and where to go on, counted by sequence. */
export function openLineOf<Change extends Told, Filter>(
  document: Document<Record<string, Change>, { filter?: Filter | null; after?: number | null }>,
  options: LineOptions<Change, NoInfer<Filter>>,
): () => void {
  // After a resync the server may count from anew, even from lower.
  return follow(document, options, (change, after) =>
    change.resync ? change.sequence : Math.max(after ?? 0, change.sequence),
  )
}

/** The same where the server says in its own words where to go on. */
export function openLineFrom<Change, Filter, After extends Cursor>(
  document: Document<Record<string, Change>, { filter?: Filter | null; after?: After | null }>,
  options: LineOptions<Change, NoInfer<Filter>, NoInfer<After>>,
  standsAt: (change: Change) => NoInfer<After>,
): () => void {
  return follow(document, options, standsAt)
}

function follow<Change, Filter, After extends Cursor>(
  document: Document<Record<string, Change>, { filter?: Filter | null; after?: After | null }>,
  options: LineOptions<Change, NoInfer<Filter>, NoInfer<After>>,
  next: (change: Change, after: NoInfer<After> | null) => NoInfer<After>,
): () => void {
  const line = new Line<Change, Filter, After>(document.toString(), options, next)
  const wake = () => line.retry()
  open.add(wake)
  void line.run()
  return () => {
    open.delete(wake)
    line.close()
  }
}

class Line<Change, Filter, After extends Cursor> {
  private after: After | null
  private closed = false
  private attempt = 0
  private cutSince: number | undefined
  private abort = new AbortController()
  private wake: () => void = () => undefined
  private settle: ReturnType<typeof setTimeout> | undefined
  private readonly text: string
  private readonly options: LineOptions<Change, Filter, After>
  private readonly next: (change: Change, after: After | null) => After

  constructor(
    text: string,
    options: LineOptions<Change, Filter, After>,
    next: (change: Change, after: After | null) => After,
  ) {
    this.text = text
    this.options = options
    this.next = next
    this.after = options.after
  }

  close(): void {
    this.closed = true
    clearTimeout(this.settle)
    this.abort.abort()
    this.wake()
  }

  retry(): void {
    if (this.cutSince !== undefined) this.wake()
  }

  async run(): Promise<void> {
    this.options.onState({ state: 'catching-up' })
    while (!this.closed) {
      let problem: ApiProblem | undefined
      try {
        await this.connect()
      } catch (error) {
        problem = error instanceof ApiProblem ? error : undefined
      }
      clearTimeout(this.settle)
      if (this.closed) return
      if (problem?.notSignedIn) {
        signedOut()
        await this.signedIn()
        continue
      }
      this.cutSince ??= Date.now()
      this.options.onState({ state: 'cut-off', since: this.cutSince, problem })
      await this.pause(backOff(this.attempt++, this.options.random ?? Math.random))
    }
  }

  private async connect(): Promise<void> {
    this.abort = new AbortController()
    const send = this.options.fetch ?? fetch
    const variables = { filter: this.options.filter ?? null, after: this.after }
    const response = await sendDocument(this.text, variables, (body) =>
      send(API.graphql, {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
        body: JSON.stringify(body),
        signal: this.abort.signal,
      }),
    )
    const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream')
    if (!response.ok || !isStream || !response.body) {
      throw problemOf(response, await response.json().catch(() => undefined))
    }
    this.options.onState({ state: 'catching-up' })
    this.expectSilence()
    await this.read(response.body)
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
    const parser = new EventParser()
    let watchdog: ReturnType<typeof setTimeout> | undefined
    const rearm = () => {
      clearTimeout(watchdog)
      watchdog = setTimeout(() => this.abort.abort(), SILENCE_MS)
    }
    try {
      for (;;) {
        rearm()
        const { value, done } = await reader.read()
        if (done) return
        for (const { event, data } of parser.push(value)) {
          if (event === 'complete') return
          if (event === 'next') this.take(data)
        }
      }
    } finally {
      clearTimeout(watchdog)
      reader.cancel().catch(() => undefined)
    }
  }

  private take(text: string): void {
    const answer = JSON.parse(text) as {
      data?: Record<string, Change> | null
      errors?: Parameters<typeof refusalsOf>[0]
    }
    if (answer.errors?.length) throw new ApiProblem(200, refusalsOf(answer.errors))
    const change = Object.values(answer.data ?? {})[0]
    if (!change) return
    this.after = this.next(change, this.after)
    this.options.onChange(change)
    this.expectSilence()
  }

  private expectSilence(): void {
    clearTimeout(this.settle)
    this.settle = setTimeout(() => {
      this.attempt = 0
      this.cutSince = undefined
      this.options.onState({ state: 'live' })
    }, SETTLED_MS)
  }

  /** Somebody else is sent to the sign-in, and the page with its lines is gone; who was in goes on here. */
  private signedIn(): Promise<void> {
    return new Promise((resolve) => {
      const leave = onceSignedIn(resolve)
      this.wake = () => {
        if (!this.closed) return
        leave()
        resolve()
      }
    })
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
