import { expect, test } from 'vitest'
import { traces as read } from '@/util/search'
import { barOf, formatMs, ticks } from './axis'
import { around, instantOf, isNarrow, lengthS, localInput, NO_FILTER, traceFilter } from './filter'
import { once } from './index'
import { moveFor } from './keys'
import { draw, NODE } from './layout'
import { thickness } from './map-drawing'
import { formatRate, formatShare, labelOf } from './map-facts'
import { namesOf, scaleOf, startTime } from './table'
import { ancestors, doubtsOf, type Span, treeOf, unfolded } from './tree'
import { rowsSeen } from './use-window'
import { drawnAs } from './waterfall-row'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const ORIGIN: Span['origin'] = {
  unclaimed: true,
  project: null,
  integration: null,
  environment: null,
  runtimeId: null,
  runtime: null,
}

function span(id: string, parentId: string | null = null, over: Partial<Span> = {}): Span {
  return {
    id,
    parentId,
    name: `s${id}`,
    kind: 'SERVER',
    service: 'orders',
    at: '2026-11-21T11:59:00.000Z',
    offsetMs: 0,
    durationMs: 10,
    failed: false,
    attributes: [],
    origin: ORIGIN,
    ...over,
  }
}

const ids = (rows: readonly { span: Span }[]) => rows.map((row) => row.span.id).join('')

test('a tree knows each span’s depth, place among its siblings, and all that is beneath it', () => {
  const rows = treeOf([span('a'), span('b', 'a'), span('c', 'b'), span('d', 'a')])
  expect(rows.map(({ depth }) => depth)).toEqual([0, 1, 2, 1])
  expect(rows.map(({ children, below }) => [children, below])).toEqual([
    [2, 3],
    [1, 1],
    [0, 0],
    [0, 0],
  ])
  expect(rows.map(({ position, siblings }) => [position, siblings])).toEqual([
    [1, 1],
    [1, 2],
    [1, 1],
    [2, 2],
  ])
  expect(ancestors(rows[2] as (typeof rows)[number]).map((row) => row.span.id)).toEqual(['b', 'a'])
})

test('a span without its parent begins a branch and says so; a ring is told apart from it', () => {
  const rows = treeOf([span('a', 'gone'), span('b', 'a'), span('c', 'd'), span('d', 'c'), span('e', 'e')])
  expect(rows.map(({ depth, doubts }) => [depth, ...doubts])).toEqual([
    [0, 'orphan'],
    [1],
    [0, 'loop'],
    [1],
    [0, 'loop'],
  ])
  expect(doubtsOf(rows)).toEqual({ orphans: 1, loops: 2, skewed: 0, aheadMsMax: 0 })
})

test('a child that begins before its parent tells of clocks, by how much', () => {
  const rows = treeOf([
    span('a', null, { offsetMs: 5 }),
    span('b', 'a', { offsetMs: 2 }),
    span('c', 'a', { offsetMs: 5 }),
  ])
  expect(rows.map(({ doubts }) => doubts)).toEqual([[], ['skew'], []])
  expect(doubtsOf(rows)).toMatchObject({ skewed: 1, aheadMsMax: 3 })
})

test('of a failure that was passed on, its origin is the one beneath which nothing failed', () => {
  const failed = { failed: true }
  const rows = treeOf([
    span('a', null, failed),
    span('b', 'a'),
    span('c', 'b', failed),
    span('d', 'c'),
    span('e', 'a', failed),
  ])
  expect(ids(rows.filter(({ origin }) => origin))).toBe('ce')
  expect(drawnAs(rows[2] as (typeof rows)[number])).toContain('failed first here')
  expect(drawnAs(rows[0] as (typeof rows)[number])).toMatch(/, failed$/)
})

test('folding hides all that is beneath, and nothing beside it', () => {
  const rows = treeOf([span('a'), span('b', 'a'), span('c', 'b'), span('d', 'a'), span('e')])
  expect(ids(unfolded(rows, new Set([1])))).toBe('abde')
  expect(ids(unfolded(rows, new Set([0])))).toBe('ae')
  expect(ids(unfolded(rows, new Set([0, 1])))).toBe('ae')
})

test('spans that share an id are all there', () => {
  expect(treeOf([span('a'), span('a'), span('b', 'a')]).map(({ index, depth }) => [index, depth])).toEqual([
    [0, 0],
    [1, 0],
    [2, 1],
  ])
})

test('right opens and goes in, left closes and goes out, and nothing goes beyond an end', () => {
  const rows = treeOf([span('a'), span('b', 'a'), span('c', 'b')])
  const [none, shut] = [new Set<number>(), new Set([1])]
  expect(moveFor('ArrowDown', rows, 2, none, 10)).toEqual({ to: 2 })
  expect(moveFor('ArrowRight', rows, 0, none, 10)).toEqual({ to: 1 })
  expect(moveFor('ArrowRight', unfolded(rows, shut), 1, shut, 10)).toBe('unfold')
  expect(moveFor('ArrowLeft', rows, 1, none, 10)).toBe('fold')
  expect(moveFor('ArrowLeft', unfolded(rows, shut), 1, shut, 10)).toEqual({ to: 0 })
  expect(moveFor('ArrowLeft', rows, 2, none, 10)).toEqual({ to: 1 })
  expect(moveFor('End', rows, 0, none, 10)).toEqual({ to: 2 })
  expect(moveFor('PageUp', rows, 2, none, 10)).toEqual({ to: 0 })
  expect(moveFor('Enter', rows, 1, none, 10)).toBe('open')
  expect(moveFor('x', rows, 1, none, 10)).toBeUndefined()
  expect(moveFor('Enter', [], 0, none, 10)).toBeUndefined()
})

test('only the rows that are seen are drawn, and some beyond', () => {
  expect(rowsSeen(0, 260, 26, 5_000)).toEqual([0, 22])
  expect(rowsSeen(26_000, 260, 26, 5_000)).toEqual([988, 1_022])
  expect(rowsSeen(26_000, 260, 26, 20)).toEqual([20, 20])
})

test('an axis has even steps that people count in, and no more than there is room for', () => {
  expect(ticks(100, 5)).toEqual([0, 20, 40, 60, 80, 100])
  expect(ticks(340, 8)).toEqual([0, 50, 100, 150, 200, 250, 300])
  expect(ticks(94_000, 5)).toEqual([0, 30_000, 60_000, 90_000])
  expect(ticks(0.3, 3)).toHaveLength(4)
  expect(ticks(0, 8)).toEqual([0])
  for (let ms = 0.013; ms < 1e9; ms *= 3.7)
    for (const most of [2, 5, 8]) {
      const found = ticks(ms, most)
      expect(found.length, `${ms} ms, ${most}`).toBeLessThanOrEqual(most + 1)
      expect(found.at(-1)).toBeLessThanOrEqual(ms * (1 + 1e-9))
    }
})

test('a length of time has three digits and a unit', () => {
  expect([0, 0.31, 4.214, 45.25, 340, 999.7, 1_200, 94_000, 125_000, 3_600_000, 7_260_000].map(formatMs)).toEqual([
    '0 ms',
    '310 µs',
    '4.21 ms',
    '45.3 ms',
    '340 ms',
    '1 s',
    '1.2 s',
    '1 min 34 s',
    '2 min 5 s',
    '1 h',
    '2 h 1 min',
  ])
})

test('a bar lies within the axis whatever a span claims', () => {
  expect(barOf(25, 50, 100)).toEqual({ leftPercent: 25, widthPercent: 50 })
  expect(barOf(-10, 500, 100)).toEqual({ leftPercent: 0, widthPercent: 100 })
  expect(barOf(200, 5, 100)).toEqual({ leftPercent: 100, widthPercent: 0 })
  expect(barOf(0, 0, 0)).toEqual({ leftPercent: 0, widthPercent: 100 })
})

const named = (...names: string[]) => names.map((name) => ({ id: name, name }))
const edge = (way: string) => ({ from: way.charAt(0), to: way.charAt(1) })

test('who calls stands left of whom it calls, over the longest way', () => {
  const { nodes } = draw(named('a', 'b', 'c', 'd'), ['ab', 'bc', 'ac', 'cd'].map(edge))
  expect(Object.fromEntries(nodes.map(({ node, layer }) => [node.id, layer]))).toEqual({ a: 0, b: 1, c: 2, d: 3 })
})

test('the drawing is the same however its parts are ordered, and nothing lies upon another or outside', () => {
  const nodes = named('web', 'orders', 'stock', 'pay', 'db', 'mail', 'lone')
  const edges = [
    ['web', 'orders'],
    ['orders', 'stock'],
    ['orders', 'pay'],
    ['stock', 'db'],
    ['orders', 'db'],
    ['pay', 'mail'],
    ['mail', 'web'],
    ['pay', 'pay'],
  ].map(([from = '', to = '']) => ({ from, to }))
  const drawn = draw(nodes, edges)
  const other = draw(nodes.toReversed(), edges.toReversed())
  expect(other.nodes).toEqual(drawn.nodes)
  expect(other.edges.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual(
    drawn.edges.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  )
  expect(drawn.edges).toHaveLength(edges.length)
  for (const a of drawn.nodes) {
    expect(a.x >= 0 && a.y >= 0 && a.x + NODE.width <= drawn.width && a.y + NODE.height <= drawn.height).toBe(true)
    for (const b of drawn.nodes)
      if (a !== b) expect(Math.abs(a.x - b.x) >= NODE.width || Math.abs(a.y - b.y) >= NODE.height).toBe(true)
  }
})

test('an arrow past a layer has a lane of its own there, and no label lies upon another', () => {
  const nodes = named('a', 'b', 'c', 'd', 'e')
  const { nodes: boxes, edges } = draw(nodes, ['ab', 'bc', 'ac', 'cd', 'ad', 'be', 'ae', 'ce'].map(edge))
  for (const [place, { labelX, labelY, edge: drawn }] of edges.entries()) {
    for (const { node, x, y } of boxes)
      expect(
        labelX > x && labelX < x + NODE.width && labelY > y && labelY < y + NODE.height,
        `${drawn.from}${drawn.to} upon ${node.id}`,
      ).toBe(false)
    for (const other of edges.slice(place + 1))
      expect(Math.abs(labelX - other.labelX) > 100 || Math.abs(labelY - other.labelY) > 25).toBe(true)
  }
})

test('a full bar is the longest, unless that one would leave nothing of the others', () => {
  expect(scaleOf([])).toBe(0)
  expect(scaleOf([10, 20, 30])).toBe(30)
  expect(scaleOf([...Array.from({ length: 19 }, () => 100), 94_000])).toBe(100)
})

test('a ring of callers ends, and an arrow to nobody is not drawn', () => {
  const { nodes, edges } = draw(named('a', 'b', 'c'), ['ab', 'bc', 'ca', 'ax'].map(edge))
  expect(nodes.map(({ layer }) => layer)).toEqual([0, 1, 2])
  expect(edges).toHaveLength(3)
  expect(draw([], []).nodes).toEqual([])
})

test('arrows do not cross where the order of the boxes can help it', () => {
  const { nodes } = draw(named('a', 'b', 'x', 'y'), ['ay', 'bx'].map(edge))
  const row = (id: string) => nodes.find(({ node }) => node.id === id)?.row
  expect([row('a'), row('b')]).toEqual([row('y'), row('x')])
})

test('figures of a call: what is not zero is not shown as zero', () => {
  expect([formatShare(0, 10), formatShare(1, 10_000), formatShare(1, 40), formatShare(3, 4)]).toEqual([
    '0 %',
    '< 0.1 %',
    '2.5 %',
    '75 %',
  ])
  expect([formatRate(1, 3_600), formatRate(72, 3_600), formatRate(9_000, 60)]).toEqual(['< 0.01/s', '0.02/s', '150/s'])
  const call = { from: 'a', to: 'b', calls: 1_200, failed: 0, p95Ms: 12.3 }
  expect([labelOf(call, 60), labelOf({ ...call, p95Ms: null }, undefined)]).toEqual([
    '20.0/s · 12.3 ms',
    '1,200 · unknown',
  ])
  expect([thickness(1, 1_000), thickness(1_000, 1_000), thickness(1, 1)]).toEqual([1, 3.5, 1])
})

test('the address is read strictly, and becomes what the control plane is asked', () => {
  const search = read({ project: 'shop', slower: '250', failed: 'true', operation: 'POST', span: '6h', service: '' })
  expect(traceFilter(search, NOW)).toMatchObject({
    scope: { project: 'shop', from: '2026-11-21T06:00:00.000Z', to: null },
    services: null,
    name: 'POST',
    failed: true,
    durationMs: 250,
    statuses: null,
  })
  const answered = read({ status: '5xx', calls: true })
  expect(traceFilter(answered, NOW)).toMatchObject({ statuses: ['5xx'], outbound: true })
  expect(isNarrow(answered)).toBe(true)
  expect({ ...answered, ...NO_FILTER }).toEqual(read({}))
  expect(read({ slower: '-1', failed: 'no', span: '3h', from: 'yesterday' })).toEqual(read({}))
  expect([isNarrow(search), isNarrow({ project: 'shop', span: '6h' }), isNarrow(NO_FILTER)]).toEqual([
    true,
    false,
    false,
  ])
})

test('log lines are looked for a minute around a trace, and rates over the time that was asked for', () => {
  expect(around('2026-11-21T11:00:00.000Z', 1_500)).toEqual({
    from: '2026-11-21T10:59:00.000Z',
    to: '2026-11-21T11:01:01.500Z',
  })
  expect(lengthS(traceFilter({ span: '1h' }, NOW).scope ?? {}, NOW)).toBe(3_600)
  const local = localInput('2026-11-21T11:00:00.000Z')
  expect(instantOf(local)).toBe('2026-11-21T11:00:00.000Z')
  expect([instantOf(''), instantOf('soon'), localInput(undefined)]).toEqual([undefined, undefined, ''])
})

test('a trace that comes again on a later page is listed once, and parties by their integration', () => {
  expect(once([{ traceId: 'a' }, { traceId: 'b' }, { traceId: 'a' }])).toHaveLength(2)
  const shop = { ...ORIGIN, integration: { handle: 'orders', displayName: 'Orders' } }
  expect(
    namesOf([
      { service: 'orders-1', origin: shop },
      { service: 'orders-2', origin: shop },
      { service: 'edge', origin: ORIGIN },
      { service: null, origin: ORIGIN },
    ]),
  ).toEqual(['Orders', 'edge', 'unclaimed'])
})

test('a start tells its date only where it is not today’s', () => {
  const at = new Date(2026, 10, 21, 9, 5, 7, 42)
  expect(startTime(at.toISOString(), new Date(2026, 10, 21, 23))).toBe('09:05:07.042')
  expect(startTime(at.toISOString(), new Date(2026, 10, 22, 1))).toBe('11-21 09:05:07.042')
})
