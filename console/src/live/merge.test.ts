import { expect, test } from 'vitest'
import type { RuntimeFilter, RuntimeRowFragment } from '@/api/generated/operations'
import {
  applyChanges,
  applyHeartbeats,
  insertRows,
  matches,
  order,
  type RuntimePages,
  recount,
  removeRows,
} from './merge'
import type { RuntimeChange } from './subscription'

function row(name: string, changes: Partial<RuntimeRowFragment> = {}): RuntimeRowFragment {
  return {
    id: name,
    runtimeId: name,
    name,
    type: 'PY',
    status: 'RUNNING',
    statusReason: '',
    statusSince: '2026-11-21T10:00:00.000Z',
    lastHeartbeatAt: '2026-11-21T10:00:00.000Z',
    registeredAt: '2026-11-20T10:00:00.000Z',
    restartable: false,
    version: null,
    secretKeyId: 'k1',
    environment: { handle: 'dev', displayName: 'dev', critical: false },
    project: { handle: 'p', displayName: 'P' },
    integration: { handle: 'i', displayName: 'I' },
    warnings: [],
    node: { hostname: null },
    changes: { state: 'IN_SYNC', reason: '' },
    channel: null,
    ...changes,
  }
}

function pagesOf(...pages: string[][]): RuntimePages {
  const totalCount = pages.flat().length
  return {
    pageParams: pages.map(() => null),
    pages: pages.map((names, index) => ({
      nodes: names.map((name) => row(name)),
      totalCount,
      sequence: 1,
      pageInfo: { endCursor: null, hasNextPage: index < pages.length - 1 },
    })),
  }
}

const change = (runtimeKey: string, runtime: RuntimeRowFragment | null): RuntimeChange => ({
  sequence: 2,
  at: '2026-11-21T10:00:00.000Z',
  resync: false,
  kind: runtime ? 'REPORTED' : 'RETIRED',
  runtimeKey,
  runtime,
  command: null,
})
const applyChange = (pages: RuntimePages, filter: RuntimeFilter, one: RuntimeChange) =>
  applyChanges(pages, { filter, sort: 'NAME' }, [one])
const names = (pages: RuntimePages) => pages.pages.map((page) => page.nodes.map((node) => node.name))

test('a known row changes where it stands, the others stay the same objects', () => {
  const before = pagesOf(['a', 'b'], ['c'])
  const { pages, arrived } = applyChange(before, {}, change('b', row('b', { status: 'OFFLINE' })))
  expect(arrived).toEqual([])
  expect(names(pages)).toEqual([['a', 'b'], ['c']])
  expect(pages.pages[0]?.nodes[1]?.status).toBe('OFFLINE')
  expect(pages.pages[0]?.nodes[0]).toBe(before.pages[0]?.nodes[0])
})

test('a retired row leaves and is not counted any more', () => {
  const { pages } = applyChange(pagesOf(['a', 'b']), {}, change('a', null))
  expect(names(pages)).toEqual([['b']])
  expect(pages.pages[0]?.totalCount).toBe(1)
})

test('a removed row leaves, and a command or a wish never takes one away', () => {
  const before = pagesOf(['a', 'b'])
  expect(names(applyChange(before, {}, { ...change('a', null), kind: 'REMOVED' }).pages)).toEqual([['b']])
  expect(applyChange(before, {}, { ...change('a', null), kind: 'COMMAND' }).pages).toBe(before)
  expect(applyChange(before, {}, { ...change('a', null), kind: 'DESIRED', runtimeKey: null }).pages).toBe(before)
})

test('a row that no longer belongs to the list leaves it', () => {
  const moved = row('a', { integration: { handle: 'other', displayName: 'Other' } })
  const { pages } = applyChange(pagesOf(['a']), { project: 'p', integration: 'i' }, change('a', moved))
  expect(names(pages)).toEqual([[]])
})

test('a new row is reported as arrived and not shown by itself', () => {
  const before = pagesOf(['a'])
  const { pages, arrived } = applyChange(before, {}, change('b', row('b')))
  expect(pages).toBe(before)
  expect(arrived.map((each) => each.name)).toEqual(['b'])
})

test('a new row of another list does not arrive', () => {
  expect(applyChange(pagesOf(['a']), { environment: 'prod' }, change('b', row('b'))).arrived).toEqual([])
})

test('rows are inserted in the order of the server, once', () => {
  const pages = insertRows(pagesOf(['b', 'd'], ['f']), [row('c'), row('a'), row('c'), row('g')])
  expect(names(pages)).toEqual([
    ['a', 'b', 'c', 'd'],
    ['f', 'g'],
  ])
  expect(pages.pages[0]?.totalCount).toBe(6)
})

test('a row behind the last loaded page is counted and comes with that page', () => {
  const before = pagesOf(['a', 'b'])
  const open: RuntimePages = {
    ...before,
    pages: before.pages.map((page) => ({ ...page, totalCount: 90, pageInfo: { endCursor: '2', hasNextPage: true } })),
  }
  const pages = insertRows(open, [row('z')])
  expect(names(pages)).toEqual([['a', 'b']])
  expect(pages.pages[0]?.totalCount).toBe(91)
})

test('heartbeats move forward only, and only rows that beat change', () => {
  const before = pagesOf(['a', 'b'])
  const later = '2026-11-21T10:00:10.000Z'
  const earlier = '2026-11-21T09:00:00.000Z'
  const beat = (id: string, lastHeartbeatAt: string) => [id, { id, lastHeartbeatAt, channel: null }] as const
  const after = applyHeartbeats(before, new Map([beat('a', later), beat('b', earlier)]))
  expect(after.pages[0]?.nodes[0]?.lastHeartbeatAt).toBe(later)
  expect(after.pages[0]?.nodes[1]).toBe(before.pages[0]?.nodes[1])
})

test('a channel that opened is shown although no change told of it', () => {
  const channel = { connected: true, since: '2026-11-21T10:00:05.000Z' }
  const beats = new Map([['a', { id: 'a', lastHeartbeatAt: null, channel }]])
  const after = applyHeartbeats(pagesOf(['a']), beats)
  expect(after.pages[0]?.nodes[0]).toMatchObject({ channel, lastHeartbeatAt: '2026-11-21T10:00:00.000Z' })
  expect(applyHeartbeats(after, beats).pages[0]?.nodes[0]).toBe(after.pages[0]?.nodes[0])
})

test('the filter by secret looks at the last full heartbeat', () => {
  expect(matches({ secretKeyId: 'k1' }, row('a'))).toBe(true)
  expect(matches({ secretKeyId: 'k2' }, row('a'))).toBe(false)
})

const WITH_MORE: RuntimePages = {
  ...pagesOf(['a', 'm']),
  pages: pagesOf(['a', 'm']).pages.map((page) => ({
    ...page,
    totalCount: 90,
    pageInfo: { endCursor: '2', hasNextPage: true },
  })),
}

test('a runtime behind the loaded rows that merely changed is no news, and one that registered there is counted', () => {
  const list = { filter: {}, sort: 'NAME' } as const
  const changed = applyChanges(WITH_MORE, list, [change('z', row('z'))])
  expect(changed).toEqual({ pages: WITH_MORE, arrived: [], left: [] })
  const one = { ...change('z', row('z')), kind: 'REGISTERED' as const }
  const registered = applyChanges(WITH_MORE, list, [one, change('z', row('z'))])
  expect(registered.arrived).toEqual([])
  expect(registered.pages.pages[0]?.totalCount).toBe(91)
  expect(applyChanges(WITH_MORE, list, [change('b', row('b'))]).arrived).toHaveLength(1)
})

test('of many changes of a runtime the last one counts, and a page without any stays the same object', () => {
  const before = pagesOf(['a', 'b'], ['c'])
  const many = [
    change('b', row('b', { status: 'OFFLINE' })),
    change('b', row('b', { status: 'UNKNOWN' })),
    change('d', row('d')),
    change('d', null),
  ]
  const { pages, arrived } = applyChanges(before, { filter: {}, sort: 'NAME' }, many)
  expect(pages.pages[0]?.nodes[1]?.status).toBe('UNKNOWN')
  expect(pages.pages[1]).toBe(before.pages[1])
  expect(arrived).toEqual([])
})

test('a row that leaves stays where somebody points at it, with its new state, until it may go', () => {
  const list = { filter: { statuses: ['RUNNING' as const] }, sort: 'NAME' as const }
  const many = [change('a', row('a', { status: 'OFFLINE' })), change('b', null)]
  const { pages, left } = applyChanges(pagesOf(['a', 'b', 'c']), list, many, true)
  expect(names(pages)).toEqual([['a', 'b', 'c']])
  expect(pages.pages[0]?.nodes[0]?.status).toBe('OFFLINE')
  expect(left).toEqual(['a', 'b'])
  const after = removeRows(pages, new Set(left))
  expect(names(after)).toEqual([['c']])
  expect(after.pages[0]?.totalCount).toBe(1)
  expect(removeRows(after, new Set(left))).toBe(after)
})

test('the order is that of the server: letters alike in both cases, nameless last, or by when they registered', () => {
  const rows = [row('b'), row('A'), row('0', { name: null }), row('C')]
  const sorted = (sort: 'NAME' | 'NEWEST' | 'OLDEST') => rows.toSorted((a, b) => order(a, b, sort)).map(({ id }) => id)
  expect(sorted('NAME')).toEqual(['A', 'b', 'C', '0'])
  const first = rows[3]
  if (first) first.registeredAt = '2026-11-19T10:00:00.000Z'
  expect(sorted('OLDEST')).toEqual(['C', '0', 'A', 'b'])
  expect(sorted('NEWEST')).toEqual(['b', 'A', '0', 'C'])
  expect(names(insertRows(pagesOf(['b']), [row('C')], 'NEWEST'))).toEqual([['b', 'C']])
})

test('the number of all follows what the server counts', () => {
  expect(recount(WITH_MORE, 88).pages[0]?.totalCount).toBe(88)
  expect(recount(WITH_MORE, 90)).toBe(WITH_MORE)
})
