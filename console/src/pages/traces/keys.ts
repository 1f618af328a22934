import type { Row } from './tree'

/** What a key does in the waterfall: goes to a row, closes or opens the row's branch, or shows its span. */
export type Move = { to: number } | 'fold' | 'unfold' | 'open'

/** The way of trees: right opens and then goes in, left closes and then goes out. `page` is how many rows are seen at once. */
export function moveFor(
  key: string,
  shown: readonly Row[],
  here: number,
  folded: ReadonlySet<number>,
  page: number,
): Move | undefined {
  const row = shown[here]
  if (!row) return undefined
  const go = (place: number): Move => ({ to: Math.min(shown.length - 1, Math.max(0, place)) })
  const isClosed = folded.has(row.index)
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return go(here + 1)
    case 'ArrowUp':
    case 'k':
      return go(here - 1)
    case 'Home':
      return go(0)
    case 'End':
      return go(shown.length - 1)
    case 'PageDown':
      return go(here + page)
    case 'PageUp':
      return go(here - page)
    case 'ArrowRight':
      if (row.children === 0) return go(here)
      return isClosed ? 'unfold' : go(here + 1)
    case 'ArrowLeft':
      if (row.children > 0 && !isClosed) return 'fold'
      return go(row.parent ? shown.indexOf(row.parent) : here)
    case 'Enter':
    case ' ':
      return 'open'
    default:
      return undefined
  }
}
