import type { Limits } from '@/api/alerts-queries'
import type { AlertCondition } from '@/api/generated/alerts'
import { rules, sentences, alerts as words } from '@/strings/alerts'

export type Unit = 'runtimes' | 'percent' | 'ms' | 'lines' | 'days'
/** Of a threshold as people write it; `factor` leads from that to what the API takes. */
export type Threshold = { unit: Unit; min: number; max: number; factor: number; usual: string; whole: boolean }
export type Asks = { threshold?: Threshold; percentile?: true; window?: true; lines?: true }

/** What each kind of rule asks for. */
export const ASKS: Record<AlertCondition, Asks> = {
  RUNTIME_OFFLINE: {},
  REPLICAS_BELOW: { threshold: { unit: 'runtimes', min: 1, max: 10_000, factor: 1, usual: '2', whole: true } },
  ERROR_RATE: {
    threshold: { unit: 'percent', min: 0, max: 100, factor: 0.01, usual: '5', whole: false },
    window: true,
  },
  LATENCY: {
    threshold: { unit: 'ms', min: 0, max: 3_600_000, factor: 0.001, usual: '1000', whole: false },
    percentile: true,
    window: true,
  },
  LOG_PATTERN: {
    threshold: { unit: 'lines', min: 0, max: 1_000_000_000, factor: 1, usual: '0', whole: true },
    window: true,
    lines: true,
  },
  NO_TRAFFIC: { window: true },
  EXPIRING: { threshold: { unit: 'days', min: 1, max: 3_650, factor: 1, usual: '30', whole: false } },
  TELEMETRY_DROPPED: { window: true },
}
export const CONDITIONS = Object.keys(ASKS) as AlertCondition[]

/** Without the dust of binary fractions. */
const clean = (value: number) => Number(value.toPrecision(10))

/** A threshold of the API as people write it. */
export function shownThreshold(condition: AlertCondition, threshold: number | null): string {
  const asked = ASKS[condition].threshold
  if (!asked || threshold === null) return asked?.usual ?? ''
  return String(clean(threshold / asked.factor))
}

/** A threshold as people write it, as the API takes it; undefined when it is none. */
export function wireThreshold(condition: AlertCondition, shown: string): number | undefined {
  const asked = ASKS[condition].threshold
  const text = shown.trim().replace(',', '.')
  const value = Number(text)
  if (!asked || text === '' || !Number.isFinite(value)) return undefined
  if (value < asked.min || value > asked.max || (asked.whole && !Number.isInteger(value))) return undefined
  return clean(value * asked.factor)
}

const short = (value: number) => String(Number(value.toPrecision(3)))

/** A latency in the unit in which it is read. */
function latency(seconds: number): string {
  return seconds < 1 ? words.figures.ms(short(seconds * 1000)) : words.figures.s(short(seconds))
}

/** What was measured, with its unit. */
export function figure(condition: AlertCondition, value: number): string {
  switch (condition) {
    case 'ERROR_RATE':
      return words.figures.percent(short(value * 100))
    case 'LATENCY':
      return latency(value)
    case 'LOG_PATTERN':
      return words.figures.lines(value)
    case 'EXPIRING':
      return words.figures.days(Math.floor(value))
    case 'NO_TRAFFIC':
      return words.figures.requests(value)
    case 'TELEMETRY_DROPPED':
      return words.figures.records(value)
    default:
      return words.figures.runtimes(value)
  }
}

/** What the rule holds against it, as the rule is now. */
export function limit({ condition, threshold, percentile }: Limits): string | undefined {
  if (threshold === null) return undefined
  const told = figure(condition, threshold)
  switch (condition) {
    case 'LATENCY':
      return words.limits.LATENCY(told, rules.percentile(percentile ?? 0.95))
    case 'REPLICAS_BELOW':
    case 'ERROR_RATE':
    case 'LOG_PATTERN':
    case 'EXPIRING':
      return words.limits[condition](told)
    default:
      return undefined
  }
}

const MINUTE_S = 60
const HOUR_S = 3_600
const DAY_S = 86_400

/** A span in the largest unit in which it is whole. */
export function spanWords(seconds: number): string {
  if (seconds >= DAY_S && seconds % DAY_S === 0) return sentences.days(seconds / DAY_S)
  if (seconds >= HOUR_S && seconds % HOUR_S === 0) return sentences.hours(seconds / HOUR_S)
  if (seconds >= MINUTE_S && seconds % MINUTE_S === 0) return sentences.minutes(seconds / MINUTE_S)
  return sentences.seconds(seconds)
}

/** A span after "every": hour, 4 hours. */
export const everyWords = (seconds: number) => spanWords(seconds).replace(/^1 /, '')

/** The usual spans, and the one that is set where it is none of them. */
export function spanChoices(usual: readonly number[], set: number | null): number[] {
  return set === null || usual.includes(set) ? [...usual] : [...usual, set].sort((a, b) => a - b)
}
