import { expect, test } from 'vitest'
import { FIRST_PAGE_MAX, withNew } from './merge'

const page = (...sequences: number[]) => ({
  nodes: sequences.map((sequence) => ({ sequence })),
  totalCount: sequences.length,
})
const shown = (all: { pages: ReturnType<typeof page>[] }) =>
  all.pages.map((each) => each.nodes.map((row) => row.sequence))

test('new events come first and are counted', () => {
  const after = withNew({ pages: [page(5, 4), page(3)], pageParams: [] }, [{ sequence: 7 }, { sequence: 6 }])
  expect(shown(after)).toEqual([[7, 6, 5, 4], [3]])
  expect(after.pages[0]?.totalCount).toBe(4)
})

test('an event that is listed already is not told twice, wherever it stands', () => {
  const before = { pages: [page(5, 4), page(3)], pageParams: [] }
  expect(withNew(before, [{ sequence: 3 }, { sequence: 5 }])).toBe(before)
})

test('a list that is watched for days stays small', () => {
  const many = Array.from({ length: FIRST_PAGE_MAX }, (_, index) => FIRST_PAGE_MAX - index)
  const after = withNew({ pages: [page(...many)], pageParams: [] }, [{ sequence: 9_999 }])
  expect(after.pages[0]?.nodes).toHaveLength(FIRST_PAGE_MAX)
  expect(after.pages[0]?.nodes[0]?.sequence).toBe(9_999)
})
