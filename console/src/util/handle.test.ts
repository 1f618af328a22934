import { expect, test } from 'vitest'
import { deriveHandle } from './handle'

test.each([
  ['Order Service', 'order-service'],
  ['  Order -- Service! ', 'order-service'],
  ['Übersicht Straße', 'ubersicht-stra-e'],
  ['Café №1', 'cafe-no1'],
  ['日本', ''],
  ['EDI/Inbound_v2', 'edi-inbound-v2'],
  ['---', ''],
])('the handle of %j is %j', (name, handle) => {
  expect(deriveHandle(name)).toBe(handle)
})

test('a handle is cut at 64 characters and never ends in a dash', () => {
  expect(deriveHandle('a'.repeat(80))).toHaveLength(64)
  expect(deriveHandle(`${'a'.repeat(63)} b`)).toBe('a'.repeat(63))
})
