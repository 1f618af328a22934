const NICE = [1, 2, 5, 10]
const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
/** What a clock is divided by, from ten seconds up. */
const CLOCK = [
  ...[10, 15, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR_MS),
]

/** Instants of a time axis, from its begin to at most its end, in even steps. Units: ms. */
export function ticks(durationMs: number, most: number): number[] {
  if (!(durationMs > 0)) return [0]
  const step = niceStep(durationMs / Math.max(1, most))
  return Array.from({ length: Math.floor(durationMs / step + 1e-9) + 1 }, (_, number) => number * step)
}

/** The next step up that people count in. */
function niceStep(least: number): number {
  const clock = least > 5 * SECOND_MS ? CLOCK.find((each) => each >= least) : undefined
  if (clock) return clock
  const power = 10 ** Math.floor(Math.log10(least))
  return power * (NICE.find((each) => each * power >= least * (1 - 1e-9)) ?? 10)
}

/** A length of time with three digits and its unit: 310 µs, 4.21 ms, 1.2 s, 2 min 5 s. */
export function formatMs(ms: number): string {
  if (ms === 0) return '0 ms'
  if (ms < 0) return `−${formatMs(-ms)}`
  if (ms < 0.9995) return `${digits(ms * 1000)} µs`
  if (ms < 999.5) return `${digits(ms)} ms`
  if (ms < 59_950) return `${digits(ms / SECOND_MS)} s`
  const seconds = Math.round(ms / SECOND_MS)
  const [large, unit, small, part] =
    seconds < 3_600
      ? [Math.floor(seconds / 60), 'min', seconds % 60, 's']
      : [Math.floor(seconds / 3_600), 'h', Math.floor((seconds % 3_600) / 60), 'min']
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${part}`
}

function digits(value: number): string {
  const text = value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

export type Bar = { leftPercent: number; widthPercent: number }

/** Where a span lies on the axis of its trace; what claims to lie outside of it is cut off. */
export function barOf(offsetMs: number, durationMs: number, wholeMs: number): Bar {
  if (!(wholeMs > 0)) return { leftPercent: 0, widthPercent: 100 }
  const within = (value: number) => Math.min(100, Math.max(0, (value / wholeMs) * 100))
  const left = within(offsetMs)
  return { leftPercent: left, widthPercent: within(offsetMs + durationMs) - left }
}
