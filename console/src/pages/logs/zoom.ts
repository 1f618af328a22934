import type { LogsSearch } from '@/util/search'
import { timeOf } from './filter'

/** A longest one: what is kept for longer is asked for by its own time. */
const LONGEST_MS = 30 * 86_400_000

/** Twice as much time around the same middle, not beyond now. */
export function wider(search: LogsSearch, now: number): { from: string; to: string } {
  const { from, to } = timeOf(search, now)
  const [begin, end] = [Date.parse(from), to ? Date.parse(to) : now]
  const more = Math.min(end - begin, LONGEST_MS - (end - begin)) / 2
  const last = Math.min(now, end + Math.max(0, more))
  return { from: new Date(begin - Math.max(0, more)).toISOString(), to: new Date(last).toISOString() }
}

/** Which bar lies under a pointer, of so many that share a width. */
export function barAt(x: number, left: number, width: number, bars: number): number {
  return Math.max(0, Math.min(bars - 1, Math.floor(((x - left) / Math.max(1, width)) * bars)))
}
