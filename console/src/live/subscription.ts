import { RuntimeChangedDocument, type RuntimeChangedSubscription, type RuntimeFilter } from '@/api/generated/operations'
import { ApiProblem } from '@/api/problem'
import { problemOf, refusalsOf, signedOut } from '@/api/request'
import { EventParser } from '@/api/sse'
import { API } from '@/util/paths'

export type RuntimeChange = RuntimeChangedSubscription['runtimeChanged']

export type LineState =
  | { state: 'catching-up' }
  | { state: 'live' }
  | { state: 'cut-off'; since: number; problem: ApiProblem | undefined }

export type LineOptions = {
  filter?: RuntimeFilter
  after: number
  onChange: (change: RuntimeChange) => void
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

/** Keeps one subscription open until it is closed, resuming after the last sequence that was seen. */
export function openLine(options: LineOptions): () => void {
  const line = new Line(options)
  void line.run()
  return () => line.close()
}

class Line {
  private after: number
  private closed = false
  private attempt = 0
  private cutSince: number | undefined
  private abort = new AbortController()
  private wake: () => void = () => undefined
  private settle: ReturnType<typeof setTimeout> | undefined
  private readonly options: LineOptions

  constructor(options: LineOptions) {
    this.options = options
    this.after = options.after
  }

  close(): void {
    this.closed = true
    clearTimeout(this.settle)
    this.abort.abort()
    this.wake()
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
      if (problem?.notSignedIn) return signedOut()
      this.cutSince ??= Date.now()
      this.options.onState({ state: 'cut-off', since: this.cutSince, problem })
      await this.pause(backOff(this.attempt++, this.options.random ?? Math.random))
    }
  }

  private async connect(): Promise<void> {
    this.abort = new AbortController()
    const send = this.options.fetch ?? fetch
    const response = await send(API.graphql, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify({
        query: RuntimeChangedDocument.toString(),
        variables: { filter: this.options.filter ?? null, after: this.after },
      }),
      signal: this.abort.signal,
    })
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
      data?: RuntimeChangedSubscription | null
      errors?: Parameters<typeof refusalsOf>[0]
    }
    if (answer.errors?.length) throw new ApiProblem(200, refusalsOf(answer.errors))
    const change = answer.data?.runtimeChanged
    if (!change) return
    // After a resync the server may count from anew, even from lower.
    this.after = change.resync ? change.sequence : Math.max(this.after, change.sequence)
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
