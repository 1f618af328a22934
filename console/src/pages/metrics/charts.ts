import type { MetricPlacesFragment, MetricStepsQuery, ProcessStepsQuery } from '@/api/generated/telemetry'
import { metrics as words } from '@/strings/metrics'
import { METRIC_SHARES } from '@/util/choices'
import { runtimeLabel } from '@/util/runtime-label'
import type { MetricsSearch } from '@/util/search'
import { format, moment, type Unit } from './format'
import type { StatusClass } from './statuses'
import type { Window } from './window'

/** Lines of one chart: more cannot be told apart. */
export const DRAWN = 6

export type Value = number | null
/** `look` is the place in the palette; percentiles have shades of their own, failures the colour of failures. */
export type Look = `part-${number}` | `share-${number}` | `status-${StatusClass}` | 'bad' | 'plain'
export type ChartLine = {
  name: string
  values: Value[]
  look: Look
  filled?: boolean
  /** Of a stack: how much of its colour an area has, so that those of one colour differ. 0 to 1. */
  strength?: number
  /** The statuses that it stands for, as filters name them. */
  statuses?: string[]
}
export type ChartKey = keyof typeof words.charts
export type Chart = {
  key: ChartKey
  unit: Unit
  lines: ChartLine[]
  undrawn: number
  /** The lines are areas, each on top of the one before it. */
  stacked?: true
  /** What is said above the drawing in place of the highest value. */
  summary?: string
}
/** The steps that all charts of a page share. Units: s since the epoch. */
export type Frame = Omit<Window, 'open'> & { begins: number[]; middles: number[]; known: boolean[] }

type Steps = MetricStepsQuery['metrics']
type Series = Steps['series'][number]
type Figures = Series['steps'][number]
type By = MetricsSearch['by']

type Told = { from: string; to: string; stepS: number | null }

/**
 * The time of an answer, which is shown until the next one is there. Steps begin where the server lets them begin; the
 * first and the last one count as far as they lie in the time.
 */
export function frameOf(told: Told, series: readonly { steps: { at: string; all: unknown }[] }[]): Frame {
  const [fromS, toS] = [Date.parse(told.from) / 1_000, Date.parse(told.to) / 1_000]
  const stepS = told.stepS ?? toS - fromS
  const first = Math.floor(fromS / stepS) * stepS
  const begins = Array.from({ length: Math.ceil((toS - first) / stepS) }, (_, number) => first + number * stepS)
  const known = new Set(
    series.flatMap(({ steps }) => steps.filter(({ all }) => all !== null).map(({ at }) => Date.parse(at) / 1_000)),
  )
  return {
    fromS,
    toS,
    stepS,
    begins,
    middles: begins.map((begin) => (Math.max(begin, fromS) + Math.min(begin + stepS, toS)) / 2),
    known: begins.map((begin) => known.has(begin)),
  }
}

/** Areas as they are drawn, each from the sum of those below it. */
export function heaped(lines: readonly ChartLine[]): Value[][] {
  const sums: Value[][] = []
  for (const { values } of lines) {
    const below = sums.at(-1)
    sums.push(values.map((value, at) => (value === null ? null : value + (below?.[at] ?? 0))))
  }
  return sums
}

/** Values by the steps of the frame; a step that the answer does not have is unknown. */
export function along<Step extends { at: string }>(
  frame: Frame,
  steps: readonly Step[],
  read: (step: Step) => Value,
): Value[] {
  const found = new Map(steps.map((step) => [Date.parse(step.at) / 1_000, step]))
  return frame.begins.map((begin) => {
    const step = found.get(begin)
    return step ? read(step) : null
  })
}

/** What a line is called: by the names of places, where they are still there. */
export function nameOf(series: MetricPlacesFragment, by: By): string {
  const { environment, integration, project, runtime, key } = series
  if (by === 'environment') return environment?.displayName ?? words.unnamed
  if (by === 'integration') return integration ? `${project?.displayName} / ${integration.displayName}` : words.unnamed
  return runtime ? runtimeLabel(runtime) : (key[0] ?? words.unnamed)
}

const shareOf = (figures: Figures['succeeded'], share: number): Value =>
  figures?.percentiles.find(({ of }) => Math.abs(of - share) < 1e-9)?.value ?? null
const asNumber = (share: (typeof METRIC_SHARES)[number]) => Number(share.slice(1)) / 100

/** Rate, errors and latencies: of everything together, or a line for each part. */
export function trafficCharts(frame: Frame, { series, left }: Steps, search: MetricsSearch): Chart[] {
  const { by, share = 'p95' } = search
  if (by) {
    const drawn = series.slice(0, DRAWN)
    const undrawn = left + series.length - drawn.length
    const parts = (read: (step: Figures) => Value): ChartLine[] =>
      drawn.map((each, number) => ({
        name: nameOf(each, by),
        values: along(frame, each.steps, read),
        look: `part-${number}` as const,
      }))
    return [
      { key: 'rate', unit: 'rate', lines: parts(({ all }) => all?.rate ?? null), undrawn },
      { key: 'errors', unit: 'share', lines: parts(({ errorRate }) => errorRate), undrawn },
      { key: 'succeeded', unit: 'time', lines: parts((step) => shareOf(step.succeeded, asNumber(share))), undrawn },
      { key: 'failed', unit: 'time', lines: parts((step) => shareOf(step.failed, asNumber(share))), undrawn },
    ]
  }
  const steps = series[0]?.steps ?? []
  const one = (name: string, look: Look, read: (step: Figures) => Value): ChartLine => ({
    name,
    look,
    values: along(frame, steps, read),
  })
  const shares = (which: 'succeeded' | 'failed') =>
    METRIC_SHARES.map((each, number) =>
      one(each, `share-${number}`, (step) => shareOf(step[which], asNumber(each))),
    ).toReversed()
  return [
    {
      key: 'rate',
      unit: 'rate',
      undrawn: 0,
      lines: [
        { ...one(words.lines.succeeded, 'plain', ({ succeeded }) => succeeded?.rate ?? null), filled: true },
        one(words.lines.failed, 'bad', ({ failed }) => failed?.rate ?? null),
      ],
    },
    {
      key: 'errors',
      unit: 'share',
      undrawn: 0,
      lines: [{ ...one(words.lines.errors, 'bad', ({ errorRate }) => errorRate), filled: true }],
    },
    { key: 'succeeded', unit: 'time', undrawn: 0, lines: shares('succeeded') },
    { key: 'failed', unit: 'time', undrawn: 0, lines: shares('failed') },
  ]
}

export const PROCESS = {
  cpu: { name: 'process.cpu.utilization', unit: 'share', read: 'mean' },
  memory: { name: 'process.memory.usage', unit: 'bytes', read: 'max' },
  lag: { name: 'pilothouse.event_loop.lag', unit: 'time', read: 'max' },
  gc: { name: 'pilothouse.gc.pause', unit: 'time', read: 'max' },
} as const
export type ProcessKey = keyof typeof PROCESS
export type Processes = ProcessStepsQuery['metrics']

/** A line for each runtime, the same one with the same look in every chart. */
export function processChart(frame: Frame, key: ProcessKey, { series, left }: Processes, order: string[]): Chart {
  const { unit, read } = PROCESS[key]
  const drawn = order.slice(0, DRAWN)
  const lines = drawn.flatMap((id, number): ChartLine[] => {
    const found = series.find((each) => each.key[0] === id)
    if (!found) return []
    const values = along(frame, found.steps, ({ all }) => all?.[read] ?? null)
    return [{ name: nameOf(found, 'runtime'), values, look: `part-${number}` }]
  })
  return { key, unit, lines, undrawn: left + series.filter(({ key: [id] }) => id && !drawn.includes(id)).length }
}

/** Where a line is highest. */
export function peakOf(values: readonly Value[]): { at: number; value: number } | undefined {
  let found: { at: number; value: number } | undefined
  values.forEach((value, at) => {
    if (value !== null && (found === undefined || value > found.value)) found = { at, value }
  })
  return found
}

/** A chart in a sentence or two: its highest value and what is unknown. */
export function summaryOf({ unit, lines, summary }: Chart, frame: Frame): string {
  const peaks = lines.flatMap(({ name, values }) => {
    const peak = peakOf(values)
    return peak ? [{ name, ...peak }] : []
  })
  // Equal peaks are told of the first line: nothing failed, and nothing is told of failures.
  const highest = peaks.reduce<(typeof peaks)[number] | undefined>(
    (best, each) => (best === undefined || each.value > best.value ? each : best),
    undefined,
  )
  const unknown = frame.known.filter((each) => !each).length
  const gaps = words.gaps(unknown, frame.known.length)
  if (summary) return [summary, gaps].filter(Boolean).join(' ')
  if (!highest) return [words.nothing, gaps].filter(Boolean).join(' ')
  const clock = moment(frame.begins[highest.at] ?? 0, frame.toS - frame.fromS)
  const value = format(unit, highest.value)
  const peak = lines.length > 1 ? words.highestOf(highest.name, value, clock) : words.highest(value, clock)
  return [peak, gaps].filter(Boolean).join(' ')
}
