import { secrets } from '@/strings/secrets'

const DAY_S = 86_400
const { spans } = secrets

/** How long an old secret goes on beside the one that replaces it; the API takes up to 90 days. */
export const OVERLAPS: [number, string][] = [
  [0, spans.none],
  [3_600, spans.hour],
  [DAY_S, spans.day],
  [7 * DAY_S, spans.week],
  [30 * DAY_S, spans.month],
  [90 * DAY_S, spans.quarter],
]
export const OVERLAP_S = 7 * DAY_S

/** How long a revocation can be taken back; the API takes up to 30 days. */
export const GRACES: [number, string][] = [
  [3_600, spans.hour],
  [DAY_S, spans.day],
  [7 * DAY_S, spans.week],
  [30 * DAY_S, spans.month],
]
export const GRACE_S = DAY_S

/** What a field for local time says, as an instant; undefined when it says none. */
export function instantOf(local: string): string | undefined {
  const at = new Date(local)
  return local === '' || Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}

/** An instant as a field for local time wants it, to the minute. */
export function localOf(instant: string): string {
  const at = new Date(instant)
  const two = (part: number) => String(part).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`
}
