/** A row that nobody has measured yet is taken to be so high. Units: px. */
export const USUAL_PX = 27
/** Rows are made and let go so many at a time, so that a slow scroll does not render for every one of them. */
const STEP = 8

/** How high rows are that were on the screen once, and how high most of them are. */
export class Heights {
  private readonly known = new Map<string, number>()
  private readonly counts = new Map<number, number>()
  /** Grows with everything learned. */
  version = 0

  of(key: string): number {
    return this.known.get(key) ?? this.usual
  }

  /** What most rows measure. */
  get usual(): number {
    let best = USUAL_PX
    let most = 0
    for (const [height, count] of this.counts) {
      if (count > most) {
        most = count
        best = height
      }
    }
    return best
  }

  /** Tells whether that was news. */
  learn(key: string, height: number): boolean {
    const before = this.known.get(key)
    if (before === height || height <= 0) return false
    if (before !== undefined) this.counts.set(before, (this.counts.get(before) ?? 1) - 1)
    this.known.set(key, height)
    this.counts.set(height, (this.counts.get(height) ?? 0) + 1)
    this.version += 1
    return true
  }

  forget(): void {
    this.known.clear()
    this.counts.clear()
    this.version += 1
  }
}

/** Where each of many rows begins, the first one at 0. */
export class Offsets {
  private readonly tops: Float64Array
  readonly count: number

  constructor(keys: readonly string[], heights: Heights) {
    this.count = keys.length
    this.tops = new Float64Array(keys.length + 1)
    let top = 0
    keys.forEach((key, index) => {
      this.tops[index] = top
      top += heights.of(key)
    })
    this.tops[keys.length] = top
  }

  get total(): number {
    return this.top(this.count)
  }

  top(index: number): number {
    return this.tops[Math.max(0, Math.min(index, this.count))] ?? 0
  }

  /** The row at so many px from the top; the first or the last one when that is outside. */
  at(y: number): number {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.top(middle) <= y) low = middle
      else high = middle - 1
    }
    return Math.max(0, low)
  }
}

/** Beyond the edges of a window that rests, so much is rendered. Units: px. */
const REST_PX = 500
/** While it scrolls: so much behind, and at most so much ahead. Units: px. */
const BEHIND_PX = 150
const AHEAD_PX = 1_400

/**
 * How much is rendered beyond the edges of a window that went on by so many px since it was looked at: twice as far again
 * where it is going to, so that no frame shows empty space, and little where it comes from. A leap tells of no direction.
 * Units: px.
 */
export function spareOf(moved: number): { above: number; below: number } {
  const speed = Math.abs(moved)
  if (speed < 1) return { above: REST_PX, below: REST_PX }
  if (speed > AHEAD_PX) return { above: BEHIND_PX, below: BEHIND_PX }
  const ahead = Math.max(REST_PX, Math.min(AHEAD_PX, 2 * speed))
  return moved > 0 ? { above: BEHIND_PX, below: ahead } : { above: ahead, below: BEHIND_PX }
}

/** Rows from `start` to before `end`. */
export type Range = { start: number; end: number }

/** The rows to render, so that what lies between two heights is there, with some to spare around it. */
export function rangeOf(offsets: Offsets, from: number, to: number): Range {
  if (offsets.count === 0) return { start: 0, end: 0 }
  const start = Math.floor(offsets.at(from) / STEP) * STEP
  const end = Math.min(offsets.count, (Math.floor(offsets.at(Math.max(from, to)) / STEP) + 1) * STEP)
  return { start, end }
}

export type Part = { row: number } | { space: number; key: string }

/** Rows and the empty space between them, from the top: the range, and a row apart from it that must stay (it holds the focus). */
export function partsOf(offsets: Offsets, { start, end }: Range, pinned: number, below: number): Part[] {
  const rows: number[] = []
  for (let row = start; row < end; row++) rows.push(row)
  if (pinned >= 0 && pinned < start) rows.unshift(pinned)
  else if (pinned >= end && pinned < offsets.count) rows.push(pinned)
  const parts: Part[] = []
  let next = 0
  for (const row of rows) {
    if (row > next)
      parts.push({ space: offsets.top(row) - offsets.top(next), key: `before ${row === pinned ? 'pinned' : 'rows'}` })
    parts.push({ row })
    next = row + 1
  }
  const rest = offsets.total - offsets.top(next) + below
  if (rest > 0) parts.push({ space: rest, key: 'after' })
  return parts
}
