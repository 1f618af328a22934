import { clockTime } from '@/util/time'

/** What a value counts in. */
export type Unit = 'rate' | 'share' | 'time' | 'bytes'
export const UNKNOWN = '–'

const counted = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const significant = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: true })
const KIBI = 1_024
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
const DAY_S = 86_400

export const formatCount = (value: number | null | undefined) => (value == null ? UNKNOWN : counted.format(value))

const three = (value: number) => (Math.abs(value) >= 1_000 ? counted.format(value) : significant.format(value))

function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log(value) / Math.log(KIBI)))
  return `${three(value / KIBI ** power)} ${SIZES[power]}`
}

const LEAST = 0.01

function share(percent: number): string {
  return percent > 0 && percent < LEAST ? `< ${LEAST} %` : `${three(Math.round(percent / LEAST) * LEAST)} %`
}

function time(seconds: number): string {
  if (seconds >= 120) return `${three(seconds / 60)} min`
  if (seconds >= 1) return `${three(seconds)} s`
  return seconds >= 0.001 || seconds === 0 ? `${three(seconds * 1_000)} ms` : `${three(seconds * 1e6)} µs`
}

/** A value with its unit; what is unknown is a dash and never zero. */
export function format(unit: Unit, value: number | null | undefined): string {
  if (value == null) return UNKNOWN
  if (unit === 'rate') return `${three(value)}/s`
  if (unit === 'share') return share(value * 100)
  return unit === 'time' ? time(value) : bytes(value)
}

const pad = (value: number) => String(value).padStart(2, '0')
const date = (at: Date) => `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`

/** Local hours and minutes; the day stands before it where the window is longer than one. */
export function moment(atS: number, windowS = 0): string {
  const clock = clockTime(atS * 1_000).slice(0, 5)
  return windowS > DAY_S ? `${date(new Date(atS * 1_000)).slice(5)} ${clock}` : clock
}

/** Marks of the axis of time: hours and minutes, and at midnight the day. */
export function axisTimes(splits: readonly number[], stepS: number): string[] {
  return splits.map((atS) => {
    const at = new Date(atS * 1_000)
    const midnight = at.getHours() === 0 && at.getMinutes() === 0
    return midnight || stepS >= DAY_S ? date(at).slice(5) : `${pad(at.getHours())}:${pad(at.getMinutes())}`
  })
}

/** 1 minute, 5 minutes, 2 hours. */
export function length(seconds: number): string {
  if (seconds % DAY_S === 0) return `${seconds / DAY_S} d`
  return seconds % 3_600 === 0 ? `${seconds / 3_600} h` : `${seconds / 60} min`
}
