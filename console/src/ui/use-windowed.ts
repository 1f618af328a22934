import { type RefObject, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { Heights, Offsets, type Part, partsOf, type Range, rangeOf, spareOf } from './windowing'

/** Lists that are not longer are rendered whole: the browser's own search finds all of them. */
export const WHOLE = 100

/** Kept while the console is open, so that a page to which one returns is as high as it was. */
const heights = new Heights()
let measuredAt = 0

type Windowed = {
  body: RefObject<HTMLTableSectionElement | null>
  parts: Part[]
  /** The rows that are rendered; all of a short list. */
  range: Range
  /** Whether only a part of the rows is in the document. */
  partial: boolean
  onFocus: (event: { target: EventTarget }) => void
  onBlur: () => void
}

/**
 * Renders of a long table only the rows near the window, while the page itself scrolls. Each row (`tr`) carries its key as
 * `data-key`; rows may differ in height, and one of several `tr` is as high as all of them.
 */
export function useWindowed(keys: readonly string[], unloaded: number): Windowed {
  const body = useRef<HTMLTableSectionElement>(null)
  const partial = keys.length + unloaded > WHOLE
  const [version, setVersion] = useState(heights.version)
  const at = useRef(0)
  const [range, setRange] = useState<Range>({ start: 0, end: WHOLE })
  const [focused, setFocused] = useState<string>()
  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` tells that heights were learned
  const offsets = useMemo(() => new Offsets(keys, heights), [keys, version])
  const look = useCallback(() => {
    const box = body.current
    if (!box || !partial) return
    const top = -box.getBoundingClientRect().top
    const spare = spareOf(top - at.current)
    at.current = top
    const next = rangeOf(offsets, top - spare.above, top + window.innerHeight + spare.below)
    setRange((before) => (before.start === next.start && before.end === next.end ? before : next))
  }, [offsets, partial])

  useLayoutEffect(() => {
    if (body.current && partial && measure(body.current, offsets.total + unloaded * heights.usual))
      setVersion(heights.version)
  })
  useLayoutEffect(look, [look])
  useEffect(() => {
    if (!partial) return
    const whenResized = new ResizeObserver(() => look())
    whenResized.observe(document.body)
    // Rows are there in the very frame that shows where they are: React would take its time.
    const whenScrolled = () => flushSync(look)
    window.addEventListener('scroll', whenScrolled, { passive: true })
    window.addEventListener('resize', look)
    return () => {
      whenResized.disconnect()
      window.removeEventListener('scroll', whenScrolled)
      window.removeEventListener('resize', look)
    }
  }, [look, partial])

  const pinned = useMemo(() => (focused === undefined ? -1 : keys.indexOf(focused)), [keys, focused])
  const shown = partial
    ? { start: Math.min(range.start, keys.length), end: Math.min(range.end, keys.length) }
    : whole(keys)
  return {
    body,
    partial,
    range: shown,
    parts: partsOf(offsets, shown, pinned, unloaded * heights.usual),
    onFocus: ({ target }) => setFocused((target as Element).closest<HTMLElement>('[data-key]')?.dataset.key),
    onBlur: () => setFocused(undefined),
  }
}

const whole = (keys: readonly string[]): Range => ({ start: 0, end: keys.length })

/**
 * Takes the heights of the rows that are there; in a window of another width none is known. Tells whether there was news.
 * Where all of them together are as high as was expected, none is looked at alone.
 */
function measure(box: HTMLTableSectionElement, expected: number): boolean {
  const isKnown = measuredAt === window.innerWidth
  if (isKnown && Math.abs(box.getBoundingClientRect().height - expected) < 1) return false
  if (!isKnown) heights.forget()
  measuredAt = window.innerWidth
  const seen = new Map<string, number>()
  for (const row of box.rows) {
    const { key } = row.dataset
    if (key !== undefined) seen.set(key, (seen.get(key) ?? 0) + row.getBoundingClientRect().height)
  }
  let news = false
  for (const [key, height] of seen) news = heights.learn(key, height) || news
  return news
}
