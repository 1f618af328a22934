import { describe, expect, test } from 'vitest'
import type { MetricStepsQuery } from '@/api/generated/telemetry'
import { metrics as read } from '@/util/search'
import { frameOf, nameOf, peakOf, processChart, summaryOf, trafficCharts } from './charts'
import { chartFilter, commandOf, logsThen, tableFilter, tracesThen } from './filter'
import { axisTimes, format, formatCount, length } from './format'
import { dashOf, lonely, unknownRuns } from './paint'
import { choicesOf, inOrder, isAlone, matches, type Row } from './rows'
import { instant, localText, stepOf, windowOf, zoomed } from './window'

const NOW = Date.parse('2026-11-21T12:00:40Z')
type Steps = MetricStepsQuery['metrics']
type Series = Steps['series'][number]

describe('the time that is shown', () => {
  test('ends with the last minute that is over and has arrived', () => {
    expect(windowOf({}, NOW)).toEqual({
      fromS: Date.parse('2026-11-21T11:00:00Z') / 1_000,
      toS: Date.parse('2026-11-21T12:00:00Z') / 1_000,
      stepS: 60,
      open: true,
    })
    const early = windowOf({}, Date.parse('2026-11-21T12:00:10Z'))
    expect(instant(early.toS)).toBe('2026-11-21T11:59:00.000Z')
  })

  test('moves by five minutes at most where steps are long', () => {
    const later = windowOf({ span: '7d' }, NOW + 4 * 60_000)
    expect(later).toEqual(windowOf({ span: '7d' }, NOW))
    expect(windowOf({ span: '7d' }, NOW + 6 * 60_000).toS - later.toS).toBe(300)
  })

  test('is the chosen one, in whole minutes, and not open once it is over', () => {
    const chosen = windowOf({ span: '7d', from: '2026-11-21T09:00:30Z', to: '2026-11-21T10:00:30Z' }, NOW)
    expect([instant(chosen.fromS), instant(chosen.toS), chosen.open]).toEqual([
      '2026-11-21T09:00:00.000Z',
      '2026-11-21T10:01:00.000Z',
      false,
    ])
  })

  test('goes no further than now, and never ends before it begins', () => {
    const ahead = windowOf({ from: '2026-11-21T11:00:00Z', to: '2026-11-22T11:00:00Z' }, NOW)
    expect([instant(ahead.toS), ahead.open]).toEqual(['2026-11-21T12:00:00.000Z', true])
    const turned = windowOf({ from: '2026-11-21T11:00:00Z', to: '2026-11-21T10:00:00Z' }, NOW)
    expect(turned.toS - turned.fromS).toBe(60)
  })

  test.each([
    [900, 60],
    [3_600, 60],
    [21_600, 300],
    [86_400, 900],
    [604_800, 7_200],
    [2_592_000, 28_800],
    [400 * 86_400, 4 * 86_400],
  ])('of %i s has steps of %i s: whole minutes, at most a hundred', (lengthS, stepS) => {
    expect(stepOf(lengthS)).toBe(stepS)
  })

  test('of a zoom is in whole minutes and long enough to show a line', () => {
    const from = Date.parse('2026-11-21T11:00:20Z') / 1_000
    expect(zoomed(from, from + 1_200)).toEqual({ from: '2026-11-21T11:00:00.000Z', to: '2026-11-21T11:21:00.000Z' })
    const tiny = zoomed(from, from + 1)
    expect(Date.parse(tiny.to) - Date.parse(tiny.from)).toBeGreaterThanOrEqual(300_000)
    expect(Date.parse(tiny.from)).toBeLessThan(from * 1_000)
  })

  test('is written in a form as local time, and read back as the same instant', () => {
    const atS = Date.parse('2026-11-21T11:00:00Z') / 1_000
    expect(new Date(localText(atS)).getTime()).toBe(atS * 1_000)
  })
})

describe('filters', () => {
  const window = windowOf({}, NOW)
  const search = { project: 'shop', integration: 'orders', environment: 'prod', runtime: 'r1', service: 'Orders' }

  test('of the charts hold everything, those of the table not the row that is shown alone', () => {
    const chosen = { ...search, resource: 'GET /orders', view: 'calls' } as const
    expect(chartFilter(chosen, window)).toEqual({
      scope: {
        project: 'shop',
        integrations: ['orders'],
        environments: ['prod'],
        runtimes: null,
        runtimeIds: ['r1'],
        unclaimed: null,
        from: '2026-11-21T11:00:00.000Z',
        to: '2026-11-21T12:00:00.000Z',
      },
      services: ['Orders'],
      resources: ['GET /orders'],
      outbound: true,
    })
    expect(tableFilter(chosen, window)).toMatchObject({ services: null, resources: null })
  })

  test('of a moment go on to its logs', () => {
    const at = window.fromS + 60
    expect(logsThen({ ...search, view: 'calls', span: '7d' }, at, at + 60)).toEqual({
      project: 'shop',
      integration: 'orders',
      environment: 'prod',
      runtime: 'r1',
      from: '2026-11-21T11:01:00.000Z',
      to: '2026-11-21T11:02:00.000Z',
    })
  })

  test('of a status of a moment go on to just its logs and traces', () => {
    const [at, narrow] = [window.fromS + 60, { from: '2026-11-21T11:01:00.000Z', to: '2026-11-21T11:02:00.000Z' }]
    const found = { ...search, status: 'Other 5xx', codes: ['502', '503'] }
    expect(logsThen(found, at, at + 60)).toEqual(expect.objectContaining({ ...narrow, status: ['502', '503'] }))
    expect(tracesThen(found, at, at + 60)).toEqual(
      expect.objectContaining({ ...narrow, service: 'Orders', status: ['502', '503'] }),
    )
    expect(tracesThen({ status: '404', view: 'calls' }, at, at + 60)).toEqual({
      ...narrow,
      status: ['404'],
      calls: true,
    })
    expect(tracesThen({}, at, at + 60)).toEqual(narrow)
  })

  test('are written for the command line', () => {
    expect(commandOf({ ...search, view: 'calls' }, window)).toEqual(
      'pilothouse metrics --project shop --integration orders --environment prod --runtime r1 --service Orders --since 60m --outbound'.split(
        ' ',
      ),
    )
    expect(commandOf({ from: '2026-11-21T11:00:00Z' }, window)).toContain('--from')
  })

  test('that the address does not know are dropped', () => {
    expect(read({ view: 'all', by: 'mood', order: 'luck', span: '3h', at: 'soon', up: 'yes', share: 'p75' })).toEqual(
      expect.objectContaining({
        view: undefined,
        by: undefined,
        order: undefined,
        span: undefined,
        at: undefined,
        up: undefined,
        share: undefined,
      }),
    )
  })
})

describe('words for values', () => {
  test('what is unknown is a dash, and zero is zero', () => {
    expect([format('rate', null), format('rate', 0), formatCount(undefined), formatCount(0)]).toEqual([
      '–',
      '0/s',
      '–',
      '0',
    ])
  })

  test.each([
    ['rate', 12.345, '12.3/s'],
    ['rate', 12_345.6, '12,346/s'],
    ['share', 0.0123, '1.23 %'],
    ['share', 1, '100 %'],
    ['share', 0.00001, '< 0.01 %'],
    ['share', 0, '0 %'],
    ['share', 0.00421, '0.42 %'],
    ['time', 0.0004, '400 µs'],
    ['time', 0.0456, '45.6 ms'],
    ['time', 2.5, '2.5 s'],
    ['time', 300, '5 min'],
    ['bytes', 512, '512 B'],
    ['bytes', 157_286_400, '150 MiB'],
  ] as const)('a %s of %d is %s', (unit, value, text) => {
    expect(format(unit, value)).toBe(text)
  })

  test('lengths of steps', () => {
    expect([60, 300, 7_200, 172_800].map(length)).toEqual(['1 min', '5 min', '2 h', '2 d'])
  })

  test('the axis tells the hours, and at midnight the day', () => {
    const midnight = new Date(2026, 10, 21).getTime() / 1_000
    expect(axisTimes([midnight - 3_600, midnight, midnight + 5_400], 3_600)).toEqual(['23:00', '11-21', '01:30'])
  })
})

const FROM_S = Date.parse('2026-11-21T11:00:00Z') / 1_000
const shares = (value: number | null) => [0.5, 0.9, 0.95, 0.99].map((of) => ({ of, value: value && value * of }))

/** Steps of a minute each: a number of requests a second, or null where nothing arrived. */
function seriesOf(rates: (number | null)[], over: Partial<Series> = {}): Series {
  const steps = rates.map((rate, number) => ({
    at: instant(FROM_S + number * 60),
    all: rate === null ? null : { rate },
    succeeded: rate === null ? null : { rate, percentiles: shares(rate > 0 ? 0.1 : null) },
    failed: rate === null ? null : { rate: 0, percentiles: shares(null) },
    errorRate: rate ? 0 : null,
  }))
  const total = { all: null, failed: null, errorRate: null }
  return { key: [], project: null, integration: null, environment: null, runtime: null, total, steps, ...over }
}

const answerOf = (series: Series[], minutes: number): Steps => ({
  stepS: 60,
  from: instant(FROM_S),
  to: instant(FROM_S + minutes * 60),
  left: 0,
  series,
})

describe('charts', () => {
  test('show what is unknown as a gap and what did not happen as zero', () => {
    const answer = answerOf([seriesOf([2, null, 0, 4])], 4)
    const frame = frameOf(answer, answer.series)
    const [rate, errors, succeeded, failed] = trafficCharts(frame, answer, {})
    expect(rate?.lines.map(({ values }) => values)).toEqual([
      [2, null, 0, 4],
      [0, null, 0, 0],
    ])
    expect(errors?.lines[0]?.values).toEqual([0, null, null, 0])
    expect(succeeded?.lines.map(({ name }) => name)).toEqual(['p99', 'p95', 'p90', 'p50'])
    expect(succeeded?.lines[3]?.values).toEqual([0.05, null, null, 0.05])
    expect(failed?.lines.every(({ values }) => values.every((value) => value === null))).toBe(true)
    expect(frame.known).toEqual([true, false, true, true])
  })

  test('have a step where the answer has none, unknown and in its place', () => {
    const answer = answerOf([seriesOf([1, 1])], 5)
    const frame = frameOf(answer, answer.series)
    expect(trafficCharts(frame, answer, {})[0]?.lines[0]?.values).toEqual([1, 1, null, null, null])
    expect(frame.begins).toHaveLength(5)
    expect(frame.middles[0]).toBe(FROM_S + 30)
  })

  test('count the first and the last step as far as they lie in the time', () => {
    const told = { from: instant(FROM_S + 120), to: instant(FROM_S + 720), stepS: 300 }
    const frame = frameOf(told, [])
    expect(frame.begins.map((begin) => begin - FROM_S)).toEqual([0, 300, 600])
    expect(frame.middles.map((middle) => middle - FROM_S)).toEqual([210, 450, 660])
  })

  test('of parts have a line for each, named, with looks of their own, and say what is not drawn', () => {
    const environment = (handle: string) => ({ handle, displayName: handle.toUpperCase(), critical: false })
    const series = Array.from({ length: 8 }, (_, number) =>
      seriesOf([number], { key: [`e${number}`], environment: environment(`e${number}`) }),
    )
    const answer = { ...answerOf(series, 1), left: 2 }
    const [rate, , latency] = trafficCharts(frameOf(answer, series), answer, { by: 'environment', share: 'p50' })
    expect(rate?.lines.map(({ name }) => name)).toEqual(['E0', 'E1', 'E2', 'E3', 'E4', 'E5'])
    expect(new Set(rate?.lines.map(({ look }) => look)).size).toBe(6)
    expect(new Set(rate?.lines.map(({ look }) => dashOf(look).join())).size).toBe(6)
    expect(rate?.undrawn).toBe(4)
    expect(latency?.lines[1]?.values).toEqual([0.05])
  })

  test('are told in words: the highest value, when, and what is unknown', () => {
    const answer = answerOf([seriesOf([2, null, 8, 4])], 4)
    const frame = frameOf(answer, answer.series)
    const [rate, , , failed] = trafficCharts(frame, answer, {})
    if (!rate || !failed) throw new Error('No chart was made.')
    expect(summaryOf(rate, frame)).toMatch(
      /^At most 8\/s \(Succeeded\) at \d\d:02\. Nothing is known of 1 of 4 steps\.$/,
    )
    expect(summaryOf(failed, frame)).toBe('No value in this time. Nothing is known of 1 of 4 steps.')
  })

  test('find the highest value among gaps, and none where there is none', () => {
    expect(peakOf([null, 1, 3, null, 3])).toEqual({ at: 2, value: 3 })
    expect(peakOf([null, null])).toBeUndefined()
  })

  test('of processes keep the order of their runtimes, so that a runtime looks the same in each', () => {
    const step = { at: instant(FROM_S), all: { mean: 0.5, max: 0.7 } }
    const process = (id: string) => ({
      ...seriesOf([]),
      key: [id],
      total: { all: { mean: 0.5, max: 0.7 } },
      steps: [step],
    })
    const answer = { ...answerOf([], 1), series: [process('b'), process('a')] }
    const frame = frameOf(answer, answer.series)
    const cpu = processChart(frame, 'cpu', answer, ['a', 'b', 'c'])
    expect(cpu.lines.map(({ name, look, values }) => [name, look, values[0]])).toEqual([
      ['a', 'part-0', 0.5],
      ['b', 'part-1', 0.5],
    ])
    expect(processChart(frame, 'memory', answer, ['a', 'b']).lines[0]?.values).toEqual([0.7])
  })

  test('name what is gone by what is still known of it', () => {
    expect(nameOf(seriesOf([], { key: ['old-runtime'] }), 'runtime')).toBe('old-runtime')
    expect(nameOf(seriesOf([], { key: ['id'] }), 'environment')).toBe('unnamed')
  })

  test('hatch the runs of what is unknown, and point at values that stand alone', () => {
    expect(unknownRuns([false, false, true, false, true])).toEqual([
      [0, 1],
      [3, 3],
    ])
    expect(lonely([1, null, 2, 3, null, 0])).toEqual([0, 5])
  })
})

describe('the table', () => {
  const row = (over: Partial<Row>): Row => ({
    id: String(over.name),
    project: undefined,
    integration: undefined,
    place: null,
    service: 'orders',
    name: 'GET /orders',
    count: 1,
    rate: 1,
    errors: 0,
    failed: 0,
    p50: 0.1,
    p90: 0.2,
    p95: 0.3,
    p99: 0.4,
    ...over,
  })
  const rows = [
    row({ name: 'b', count: 5, p99: null }),
    row({ name: 'a', count: 9, p99: 2 }),
    row({ name: 'c', p99: 1 }),
  ]
  const names = (sorted: Row[]) => sorted.map(({ name }) => name).join('')

  test('begins with the busiest, and turns round', () => {
    expect([names(inOrder(rows)), names(inOrder(rows, 'count', true))]).toEqual(['abc', 'cba'])
  })

  test('begins with A where names are sorted', () => {
    expect([names(inOrder(rows, 'name')), names(inOrder(rows, 'name', true))]).toEqual(['abc', 'cba'])
  })

  test('puts what is unknown last, whichever way it is sorted', () => {
    expect([names(inOrder(rows, 'p99')), names(inOrder(rows, 'p99', true))]).toEqual(['acb', 'cab'])
  })

  test('marks the row that the charts show alone, in its own integration only', () => {
    const chosen = { service: 'orders', resource: 'a', project: 'shop', integration: 'x' }
    expect(isAlone(row({ name: 'a', project: 'shop', integration: 'x' }), chosen)).toBe(true)
    expect(isAlone(row({ name: 'a', project: 'shop', integration: 'y' }), chosen)).toBe(false)
    expect(isAlone(row({ name: 'a' }), {})).toBe(false)
  })

  test('is searched, and tells what there is to choose', () => {
    expect(matches(row({ name: 'POST /Orders' }), '/orders')).toBe(true)
    expect(matches(row({ name: null }), 'unnamed')).toBe(true)
    expect(matches(row({}), 'stock')).toBe(false)
    expect(choicesOf([...rows, row({ service: 'stock', name: 'z' })], 'orders')).toEqual({
      services: ['orders', 'stock'],
      resources: ['a', 'b', 'c'],
    })
  })
})
