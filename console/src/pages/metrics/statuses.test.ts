import { describe, expect, test } from 'vitest'
import type { MetricStatusesQuery } from '@/api/generated/telemetry'
import { type Frame, heaped } from './charts'
import { classOf, statusChart } from './statuses'

const at = (minute: number) => new Date(minute * 60_000).toISOString()
const frame: Frame = {
  fromS: 0,
  toS: 180,
  stepS: 60,
  begins: [0, 60, 120],
  middles: [30, 90, 150],
  known: [true, true, false],
}

function answer(rates: Record<string, (number | null)[]>): MetricStatusesQuery['metrics'] {
  const series = Object.entries(rates).map(([status, values]) => ({
    key: [status || null],
    total: { all: { count: values.reduce<number>((sum, value) => sum + (value ?? 0), 0) } },
    steps: values.map((rate, minute) => ({ at: at(minute), all: rate === null ? null : { rate } })),
  }))
  return { stepS: 60, from: at(0), to: at(3), left: 0, series }
}
const named = (rates: Parameters<typeof answer>[0], byClass = false) =>
  statusChart(frame, answer(rates), byClass).lines.map(({ name }) => name)

describe('a class', () => {
  test.each([
    ['404', '4'],
    ['4xx', '4'],
    ['204', '2'],
    ['timeout', 'error'],
    ['14', 'none'],
    ['', 'none'],
    [null, 'none'],
  ])('of %s is %s', (status, of) => {
    expect(classOf(status)).toBe(of)
  })
})

describe('the chart', () => {
  test('has the worst at its foot, and of a class the busiest first', () => {
    expect(named({ 200: [9, 9, null], 201: [10, 10, null], 404: [1, 1, null], 500: [0, 1, null] })).toEqual([
      '500',
      '404',
      '201',
      '200',
    ])
  })

  test('takes the rare codes of a class together, and each class where one wants no more', () => {
    const rates = { 400: [5, 5, null], 401: [4, 4, null], 403: [3, 3, null], 404: [2, 2, null], 409: [1, 1, null] }
    const chart = statusChart(frame, answer(rates), false)
    expect(chart.lines.map(({ name }) => name)).toEqual(['400', '401', '403', 'Other 4xx'])
    expect(chart.lines.at(-1)?.values).toEqual([3, 3, null])
    expect(named({ ...rates, timeout: [1, 0, null] }, true)).toEqual(['No answer', '4xx'])
  })

  test('knows of each area the statuses that it stands for', () => {
    const rates = { 400: [5, 5, null], 401: [4, 4, null], 403: [3, 3, null], 404: [2, 2, null], 409: [1, 1, null] }
    const more = { ...rates, timeout: [2, 0, null], refused: [1, 0, null], '': [1, 1, null] }
    const told = (byClass: boolean) =>
      statusChart(frame, answer(more), byClass).lines.map(({ name, statuses }) => [name, statuses])
    expect(told(false)).toEqual([
      ['timeout', ['timeout']],
      ['refused', ['refused']],
      ['400', ['400']],
      ['401', ['401']],
      ['403', ['403']],
      ['Other 4xx', ['404', '409']],
      ['No status', ['none']],
    ])
    expect(told(true)).toEqual([
      ['No answer', ['timeout', 'refused']],
      ['4xx', ['4xx']],
      ['No status', ['none']],
    ])
  })

  test('tells none where others are known, and unknown where nothing is', () => {
    const [line] = statusChart(frame, answer({ 503: [null, 2, null], 200: [1, 1, null] }), false).lines
    expect(line?.values).toEqual([0, 2, null])
  })

  test('says the share of each class', () => {
    expect(statusChart(frame, answer({ 200: [3, 3, null], 503: [1, 1, null] }), false).summary).toBe(
      '5xx 25 % · 2xx 75 %.',
    )
  })

  test('stands each area on those before it', () => {
    const { lines } = statusChart(frame, answer({ 200: [3, 3, null], 503: [1, 1, null] }), false)
    expect(heaped(lines)).toEqual([
      [1, 1, null],
      [4, 4, null],
    ])
  })
})
