import { expect, test } from 'vitest'
import { instantOf, localOf } from './spans'

test('an instant goes through the field for local time and comes back to the minute', () => {
  expect(instantOf(localOf('2026-11-21T10:02:00.000Z'))).toBe('2026-11-21T10:02:00.000Z')
  expect(localOf('2026-01-05T04:03:59.999Z')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d$/)
})

test('an empty or broken field is no instant', () => {
  expect(instantOf('')).toBeUndefined()
  expect(instantOf('soon')).toBeUndefined()
})
