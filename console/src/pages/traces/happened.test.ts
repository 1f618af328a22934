import { expect, test } from 'vitest'
import { happenedIn } from './happened'
import type { Span } from './tree'

const span = (value?: string) =>
  ({
    at: '2026-01-02T03:04:05.000Z',
    attributes: value === undefined ? [] : [{ key: 'pilothouse.events', value }],
  }) as unknown as Span

const BEGUN_MS = Date.parse('2026-01-02T03:04:05.000Z')
const note = (name: string, afterMs: number, attributes: object = {}) => ({
  name,
  at_ns: `${BEGUN_MS + afterMs}000000`,
  attributes,
})

test('notes stand in the order of their time, counted from the start of the span', () => {
  const told = JSON.stringify([note('paid', 30), note('order accepted', 12, { sku: 'rope', quantity: 3 })])
  expect(happenedIn(span(told))).toEqual([
    {
      name: 'order accepted',
      afterMs: 12,
      attributes: [
        ['sku', 'rope'],
        ['quantity', '3'],
      ],
    },
    { name: 'paid', afterMs: 30, attributes: [] },
  ])
})

test('a note of a clock that went back is at the start', () => {
  expect(happenedIn(span(JSON.stringify([note('early', -40)])))[0]?.afterMs).toBe(0)
})

test.each([undefined, '', 'no list', '{}', '[3, null]', '"text"'])('%s is no note', (value) => {
  expect(happenedIn(span(value))).toEqual([])
})

test('a note without time or attributes is shown all the same', () => {
  expect(happenedIn(span('[{"name": "bare"}]'))).toEqual([{ name: 'bare', afterMs: 0, attributes: [] }])
})
