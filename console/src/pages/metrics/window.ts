import { SPANS } from '@/util/choices'
import type { MetricsSearch } from '@/util/search'

const SECOND = 1_000
const MINUTE_S = 60
const LENGTHS_S = { '15m': 900, '1h': 3_600, '6h': 21_600, '1d': 86_400, '7d': 604_800, '30d': 2_592_000 } as const
const STEPS_S = [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400]
/** Steps of one chart: more cannot be told apart. */
const STEPS_MAX = 100
/** Senders tell every ten seconds: so long after its end a minute is whole. */
const ARRIVED_S = 15
/** However long the steps are, what is new is shown no later. */
const RENEWED_S = 300
const SHORTEST_S = 300

/** The time that is shown, in whole minutes. Units: s since the epoch. */
export type Window = { fromS: number; toS: number; stepS: number; open: boolean }

/** The length of a step; many days make steps of whole days. */
export function stepOf(lengthS: number): number {
  const day = 86_400
  return STEPS_S.find((step) => lengthS / step <= STEPS_MAX) ?? Math.ceil(lengthS / STEPS_MAX / day) * day
}

const down = (seconds: number, step = MINUTE_S) => Math.floor(seconds / step) * step
const up = (seconds: number, step = MINUTE_S) => Math.ceil(seconds / step) * step
const seconds = (iso: string) => Date.parse(iso) / SECOND

/** The time that a search names: a chosen one, or up to the last minute that is over and has arrived. */
export function windowOf({ span, from, to }: MetricsSearch, nowMs: number): Window {
  const arrivedS = nowMs / SECOND - ARRIVED_S
  if (from) {
    const fromS = down(seconds(from))
    const endS = to === undefined ? undefined : up(seconds(to))
    const open = endS === undefined || endS > nowMs / SECOND
    const toS = Math.max(fromS + MINUTE_S, open ? down(arrivedS) : (endS ?? 0))
    const stepS = stepOf(toS - fromS)
    return { fromS, toS, stepS, open }
  }
  const lengthS = LENGTHS_S[span ?? SPANS[1]]
  const stepS = stepOf(lengthS)
  const toS = down(arrivedS, Math.min(RENEWED_S, stepS))
  return { fromS: toS - lengthS, toS, stepS, open: true }
}

export const instant = (atS: number) => new Date(atS * SECOND).toISOString()

/** A chosen part of a chart as a time in the address: whole minutes, and never too few to show anything. */
export function zoomed(fromS: number, toS: number): { from: string; to: string } {
  const spare = Math.max(0, SHORTEST_S - (up(toS) - down(fromS))) / 2
  return { from: instant(down(down(fromS) - spare)), to: instant(up(up(toS) + spare)) }
}

/** An instant as a form of the browser writes it, in local time. */
export function localText(atS: number): string {
  const at = new Date(atS * SECOND)
  const local = new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_S * SECOND)
  return local.toISOString().slice(0, 16)
}
