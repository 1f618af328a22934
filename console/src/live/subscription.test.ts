import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { RuntimeChangedDocument } from '@/api/generated/operations'
import { digestOf } from '@/api/persisted'
import { whenSignedOut } from '@/api/request'
import { backOff, type LineState, openLine, type RuntimeChange, SETTLED_MS, SILENCE_MS } from './subscription'

type Call = { after: number; send: (text: string) => void; end: () => void; break: () => void; aborted: () => boolean }

/** A control plane that answers with streams which the test writes itself. */
function fakeServer(answers: (() => Response)[] = []) {
  const calls: Call[] = []
  const fetch = async (_url: unknown, init?: RequestInit) => {
    const after = (JSON.parse(String(init?.body)) as { variables: { after: number } }).variables.after
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start: (made) => {
        controller = made
      },
    })
    init?.signal?.addEventListener('abort', () => controller?.error(new Error('aborted')))
    calls.push({
      after,
      send: (text) => controller?.enqueue(new TextEncoder().encode(text)),
      end: () => controller?.close(),
      break: () => controller?.error(new Error('reset')),
      aborted: () => init?.signal?.aborted ?? false,
    })
    return answers.shift()?.() ?? new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }
  return { calls, fetch: fetch as typeof globalThis.fetch }
}

const next = (change: Partial<RuntimeChange>) =>
  `event: next\ndata: ${JSON.stringify({ data: { runtimeChanged: { resync: false, ...change } } })}\n\n`

function listen(server: ReturnType<typeof fakeServer>) {
  const states: LineState[] = []
  const changes: number[] = []
  const close = openLine({
    after: 7,
    fetch: server.fetch,
    random: () => 1,
    onChange: (change) => changes.push(change.sequence),
    onState: (state) => states.push(state),
  })
  return { states, changes, close, words: () => states.map((each) => each.state) }
}

// The digest is computed outside of the clock that the tests hold still.
beforeAll(() => digestOf(RuntimeChangedDocument.toString()))
beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  vi.useRealTimers()
  whenSignedOut(() => undefined)
})
const tick = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test('a line catches up first and is live when what was missed has been sent', async () => {
  const server = fakeServer()
  const line = listen(server)
  await tick(1)
  expect(server.calls[0]?.after).toBe(7)
  server.calls[0]?.send(next({ sequence: 8 }))
  await tick(SETTLED_MS - 10)
  expect(line.words().at(-1)).toBe('catching-up')
  await tick(SETTLED_MS)
  expect(line.words().at(-1)).toBe('live')
  expect(line.changes).toEqual([8])
  line.close()
})

test('a broken line resumes after the last change that it saw', async () => {
  const server = fakeServer()
  const line = listen(server)
  await tick(1)
  server.calls[0]?.send(next({ sequence: 12 }))
  await tick(SETTLED_MS + 1)
  server.calls[0]?.break()
  await tick(1)
  expect(line.words().at(-1)).toBe('cut-off')
  await tick(500)
  expect(server.calls[1]?.after).toBe(12)
  await tick(SETTLED_MS + 1)
  expect(line.words().at(-1)).toBe('live')
  line.close()
})

test('the time of the cut stays the first one while attempts fail, and the wait doubles', async () => {
  const down = () => Response.json({ code: 'UNAVAILABLE', message: 'Restarting.' }, { status: 503 })
  const server = fakeServer([down, down, down])
  const line = listen(server)
  await tick(1)
  await tick(500 + 1_000)
  const cuts = line.states.filter((each) => each.state === 'cut-off')
  expect(cuts).toHaveLength(3)
  expect(new Set(cuts.map((each) => each.since)).size).toBe(1)
  expect(cuts[0]?.problem?.message).toBe('Restarting.')
  await tick(1_997)
  expect(server.calls).toHaveLength(3)
  await tick(4)
  expect(server.calls).toHaveLength(4)
  line.close()
})

test('waits grow to half a minute and are never all the same', () => {
  expect([0, 1, 2, 10].map((attempt) => backOff(attempt, () => 1))).toEqual([500, 1_000, 2_000, 30_000])
  expect(backOff(10, () => 0)).toBe(15_000)
})

test('a silent line is given up, one with comments is not', async () => {
  const server = fakeServer()
  const line = listen(server)
  await tick(1)
  await tick(SILENCE_MS - 1_000)
  server.calls[0]?.send(': alive\n\n')
  await tick(SILENCE_MS - 1_000)
  expect(server.calls).toHaveLength(1)
  await tick(2_000)
  expect(server.calls[0]?.aborted()).toBe(true)
  expect(server.calls.length).toBeGreaterThan(1)
  line.close()
})

test('a resync takes the server’s new count, even a lower one', async () => {
  const server = fakeServer()
  const line = listen(server)
  await tick(1)
  server.calls[0]?.send(next({ sequence: 3, resync: true }))
  await tick(1)
  server.calls[0]?.end()
  await tick(600)
  expect(server.calls[1]?.after).toBe(3)
  line.close()
})

test('without a session the line ends and the sign-in is asked for', async () => {
  const signedOut = vi.fn()
  whenSignedOut(signedOut)
  const server = fakeServer([() => Response.json({ code: 'NOT_SIGNED_IN', message: 'No.' }, { status: 401 })])
  listen(server)
  await tick(60_000)
  expect(signedOut).toHaveBeenCalledOnce()
  expect(server.calls).toHaveLength(1)
})

test('a closed line asks no more', async () => {
  const server = fakeServer()
  const line = listen(server)
  await tick(1)
  line.close()
  await tick(60_000)
  expect(server.calls).toHaveLength(1)
  expect(server.calls[0]?.aborted()).toBe(true)
})
