import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ChangeKind } from '@/api/generated/operations'
import { Freshener, staleBy } from './follow'
import type { RuntimeChange } from './subscription'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function change(kind: ChangeKind, more: Partial<RuntimeChange> = {}): RuntimeChange {
  const at = '2026-11-21T10:00:00.000Z'
  return { sequence: 1, at, resync: false, kind, runtimeKey: 'r1', runtime: null, command: null, ...more }
}
const command = { id: 'c1' } as NonNullable<RuntimeChange['command']>

function client() {
  const read: string[] = []
  return {
    read,
    invalidateQueries: (filters?: { queryKey?: readonly unknown[] }) => {
      read.push(filters?.queryKey?.join(' ') ?? 'everything')
      return Promise.resolve()
    },
  }
}

test('a command makes itself stale at once, and steering and its runtime soon', () => {
  expect(staleBy(change('COMMAND', { command }))).toEqual({
    now: [['command', 'c1']],
    soon: [['steering'], ['commands'], ['runtime', 'r1']],
    later: [['counts']],
  })
})

test('a wish touches steering without naming a runtime', () => {
  expect(staleBy(change('DESIRED', { runtimeKey: null })).soon).toEqual([['steering'], ['runtime']])
})

test('a removed runtime makes secrets stale too: nobody may hang on them now', () => {
  expect(staleBy(change('REMOVED')).later).toContainEqual(['secrets'])
})

test('a storm of commands is read again once', async () => {
  const target = client()
  const freshener = new Freshener(target)
  for (let count = 0; count < 100; count++) freshener.take(change('COMMAND', { command }))
  await vi.advanceTimersByTimeAsync(200)
  expect(target.read.filter((key) => key === 'steering')).toHaveLength(1)
  freshener.take(change('COMMAND', { command }))
  await vi.advanceTimersByTimeAsync(200)
  expect(target.read.filter((key) => key === 'steering')).toHaveLength(2)
})

test('a slow read is waited for, and what changed meanwhile is read after it', async () => {
  const read: string[] = []
  const answers: (() => void)[] = []
  const slow = {
    invalidateQueries: (filters?: { queryKey?: readonly unknown[] }) => {
      read.push(filters?.queryKey?.join(' ') ?? '')
      return new Promise<void>((resolve) => answers.push(resolve))
    },
  }
  const freshener = new Freshener(slow)
  freshener.take(change('REGISTERED', { runtimeKey: null }))
  await vi.advanceTimersByTimeAsync(300)
  expect(read).toEqual(['steering'])
  freshener.take(change('REGISTERED', { runtimeKey: null }))
  await vi.advanceTimersByTimeAsync(500)
  expect(read).toEqual(['steering'])
  for (const answer of answers) answer()
  await vi.advanceTimersByTimeAsync(200)
  expect(read.filter((key) => key === 'steering')).toHaveLength(2)
})

test('what waits is still read after the frame was taken down and put up again', async () => {
  const target = client()
  const freshener = new Freshener(target)
  freshener.take(change('DESIRED'))
  freshener.stop()
  await vi.advanceTimersByTimeAsync(500)
  expect(target.read).toEqual([])
  freshener.take(change('DESIRED'))
  await vi.advanceTimersByTimeAsync(200)
  expect(target.read).toEqual(['steering', 'runtime'])
})

test('after a gap everything is read again', () => {
  const target = client()
  new Freshener(target).take(change('COMMAND', { resync: true }))
  expect(target.read).toEqual(['everything'])
})
