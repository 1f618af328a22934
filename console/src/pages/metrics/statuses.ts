import type { MetricStatusesQuery } from '@/api/generated/telemetry'
import { metrics as words } from '@/strings/metrics'
import { along, type Chart, type ChartLine, type Frame } from './charts'
import { format } from './format'

/** The worst first: they stand on the axis, where their height can be read. */
export const CLASSES = ['5', 'error', '4', '3', '2', '1', 'none'] as const
export type StatusClass = (typeof CLASSES)[number]

/** Areas of one colour, from the busiest on: so much of it each has. More cannot be told apart. */
const NO_STATUS = 'none'
const STRENGTHS = [0.76, 0.5, 0.3, 0.16]

type Statuses = MetricStatusesQuery['metrics']
type Series = Statuses['series'][number]
type Area = { name: string; of: StatusClass; series: Series[]; statuses: string[] }

/** `404` and `4xx` are of one class; a word is the kind of an error to which nothing was answered. */
export function classOf(status: string | null | undefined): StatusClass {
  const hundred = /^([1-5])(\d\d|xx)$/.exec(status ?? '')?.[1]
  if (hundred) return hundred as StatusClass
  return status && Number.isNaN(Number(status)) ? 'error' : 'none'
}

const othersOf = (of: StatusClass) => words.statuses.other(words.statuses.class[of])
const countOf = (series: readonly Series[]) => series.reduce((sum, { total }) => sum + (total.all?.count ?? 0), 0)

/** The worst class first, and of each the busiest; of many codes of a class the rarest together. */
function areasOf(series: readonly Series[], byClass: boolean): Area[] {
  const one = (name: string, of: StatusClass, its: Series[], whole = false): Area => {
    const told = its.map(({ key }) => key[0] || NO_STATUS)
    // A class also has the codes that are too rare to be told.
    return { name, of, series: its, statuses: whole && Number(of) ? [`${of}xx`] : told }
  }
  return CLASSES.flatMap((of) => {
    const its = series.filter(({ key }) => classOf(key[0]) === of).toSorted((a, b) => countOf([b]) - countOf([a]))
    const name = words.statuses.class[of]
    if (byClass || its.length === 0) return its.length > 0 ? [one(name, of, its, true)] : []
    const kept = its.length > STRENGTHS.length ? its.slice(0, STRENGTHS.length - 1) : its
    const rest = its.slice(kept.length)
    return [
      ...kept.map((each) => one(each.key[0] || name, of, [each])),
      ...(rest.length > 0 ? [one(othersOf(of), of, rest)] : []),
    ]
  })
}

/** Requests over time by what was answered, one area for each code or class; where others are known it is none, not unknown. */
export function statusChart(frame: Frame, { series, left }: Statuses, byClass: boolean): Chart {
  const areas = areasOf(series, byClass)
  const lines = areas.map(({ name, of, series: its, statuses }, at): ChartLine => {
    const nth = areas.slice(0, at).filter((area) => area.of === of).length
    const parts = its.map(({ steps }) => along(frame, steps, ({ all }) => all?.rate ?? null))
    return {
      name,
      statuses,
      look: `status-${of}`,
      strength: STRENGTHS[Math.min(nth, STRENGTHS.length - 1)] ?? 1,
      values: frame.known.map((known, step) =>
        known ? parts.reduce((sum, values) => sum + (values[step] ?? 0), 0) : null,
      ),
    }
  })
  return { key: 'statuses', unit: 'rate', lines, undrawn: left, stacked: true, summary: sharesOf(series) }
}

/** Each class as a share of all, the worst first. */
function sharesOf(series: readonly Series[]): string {
  const all = countOf(series)
  if (all === 0) return ''
  const shares = CLASSES.flatMap((of) => {
    const its = series.filter(({ key }) => classOf(key[0]) === of)
    return its.length > 0 ? [words.statuses.share(words.statuses.class[of], format('share', countOf(its) / all))] : []
  })
  return words.statuses.shares(shares)
}
