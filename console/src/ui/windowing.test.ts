import { expect, test } from 'vitest'
import { Heights, Offsets, partsOf, rangeOf, spareOf, USUAL_PX } from './windowing'

const keys = Array.from({ length: 10_000 }, (_, index) => `r${index}`)

test('rows that nobody measured are taken to be as high as most of those that were', () => {
  const heights = new Heights()
  expect(new Offsets(keys, heights).total).toBe(10_000 * USUAL_PX)
  for (const key of keys.slice(0, 5)) heights.learn(key, 30)
  heights.learn('r5', 46)
  expect(heights.usual).toBe(30)
  expect(new Offsets(keys, heights).total).toBe(9_999 * 30 + 46)
  expect(heights.learn('r5', 46)).toBe(false)
  heights.forget()
  expect(heights.of('r5')).toBe(USUAL_PX)
})

test('the row at a height is found among rows of different heights', () => {
  const heights = new Heights()
  heights.learn('r0', 100)
  heights.learn('r1', 10)
  const offsets = new Offsets(['r0', 'r1', 'r2'], heights)
  expect([-5, 0, 99, 100, 109, 110, 9_999].map((y) => offsets.at(y))).toEqual([0, 0, 0, 1, 1, 2, 2])
  expect(new Offsets([], heights).at(50)).toBe(0)
})

test('of ten thousand rows those near the screen are rendered, and space stands for the others', () => {
  const offsets = new Offsets(keys, new Heights())
  const range = rangeOf(offsets, 140_000, 140_900)
  expect(range.end - range.start).toBeLessThan(60)
  expect(offsets.top(range.start)).toBeLessThanOrEqual(140_000)
  expect(offsets.top(range.end)).toBeGreaterThanOrEqual(140_900)
  const parts = partsOf(offsets, range, -1, 0)
  const height = parts.reduce((sum, part) => sum + ('row' in part ? USUAL_PX : part.space), 0)
  expect(height).toBe(offsets.total)
  expect(rangeOf(new Offsets([], new Heights()), 0, 900)).toEqual({ start: 0, end: 0 })
})

test('the row that holds the focus stays wherever one scrolls, and rows that are not loaded have their room', () => {
  const offsets = new Offsets(keys.slice(0, 100), new Heights())
  for (const pinned of [2, 90]) {
    const parts = partsOf(offsets, { start: 40, end: 48 }, pinned, 500)
    expect(parts).toContainEqual({ row: pinned })
    const height = parts.reduce((sum, part) => sum + ('row' in part ? USUAL_PX : part.space), 0)
    expect(height).toBe(offsets.total + 500)
    expect(new Set(parts.map((part) => ('row' in part ? `row ${part.row}` : part.key))).size).toBe(parts.length)
  }
  expect(partsOf(offsets, { start: 40, end: 48 }, 44, 0).filter((part) => 'row' in part)).toHaveLength(8)
})

test('a window that scrolls has more to spare where it goes than where it comes from', () => {
  const down = spareOf(467)
  expect(down.below).toBeGreaterThan(467)
  expect(down.above).toBeLessThan(down.below)
  expect(spareOf(-467)).toEqual({ above: down.below, below: down.above })
})

test('a window that rests has as much to spare on either side, and one that leapt little', () => {
  const rest = spareOf(0)
  expect(rest.above).toBe(rest.below)
  const leap = spareOf(100_000)
  expect(leap.above).toBe(leap.below)
  expect(leap.below).toBeLessThan(rest.below)
})
