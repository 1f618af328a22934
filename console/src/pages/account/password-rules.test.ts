import { expect, test } from 'vitest'
import { wrongWith } from './password-rules'

const RULES = { lengthMin: 8, lengthMax: 12 }
const wrong = (current: string, next: string, again: string, tried = true) =>
  Object.keys(wrongWith({ current, next, again }, RULES, tried))

test('an untouched form accuses nobody', () => {
  expect(wrong('', '', '', false)).toEqual([])
})

test('a tried form names every empty field', () => {
  expect(wrong('', '', '')).toEqual(['current', 'next'])
})

test('length is counted in characters as people see them, at both ends', () => {
  expect(wrong('old', '1234567', '1234567')).toEqual(['next'])
  expect(wrong('old', '🚢🚢🚢🚢🚢🚢🚢', '🚢🚢🚢🚢🚢🚢🚢')).toEqual(['next'])
  expect(wrong('old', '🚢🚢🚢🚢🚢🚢🚢🚢', '🚢🚢🚢🚢🚢🚢🚢🚢')).toEqual([])
  expect(wrong('old', '1234567890123', '1234567890123')).toEqual(['next'])
})

test('the old one is no new one, and both must be alike', () => {
  expect(wrong('same-same', 'same-same', 'same-same')).toEqual(['next'])
  expect(wrong('old', 'long-enough', 'long-enoug')).toEqual(['again'])
})
