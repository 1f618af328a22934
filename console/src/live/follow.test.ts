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

test('a wish touches steering without naming a runtime; a channel touches its runtime alone', () => {
  expect(staleBy(change('DESIRED', { runtimeKey: null })).soon).toEqual([['steering'], ['runtime']])
  expect(staleBy(change('CHANNEL'))).toEqual({ now: [['runtime', 'r1']], soon: [], later: [] })
})

test('a removed runtime makes secrets stale too: nobody may hang on them now', () => {
  expect(staleBy(change('REMOVED')).later).toContainEqual(['secrets'])
})

test('a storm of commands is read again once', () => {
  const target = client()
  const freshener = new Freshener(target)
  for (let count = 0; count < 100; count++) freshener.take(change('COMMAND', { command }))
  vi.advanceTimersByTime(200)
  expect(target.read.filter((key) => key === 'steering')).toHaveLength(1)
  freshener.take(change('COMMAND', { command }))
  vi.advanceTimersByTime(200)
  expect(target.read.filter((key) => key === 'steering')).toHaveLength(2)
})

test('what waits is still read after the frame was taken down and put up again', () => {
  const target = client()
  const freshener = new Freshener(target)
  freshener.take(change('DESIRED'))
  freshener.stop()
  vi.advanceTimersByTime(500)
  expect(target.read).toEqual([])
  freshener.take(change('DESIRED'))
  vi.advanceTimersByTime(200)
  expect(target.read).toEqual(['steering', 'runtime'])
})

test('after a gap everything is read again', () => {
  const target = client()
  new Freshener(target).take(change('COMMAND', { resync: true }))
  expect(target.read).toEqual(['everything'])
})
