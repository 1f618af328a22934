import { expect, test } from 'vitest'
import { hiddenBy, rank } from './handlers'

const handlers = [
  { logger: 'root', handler: 'StreamHandler', level: 'WARN' },
  { logger: 'shop.store', handler: 'FileHandler', level: 'ERROR' },
]

test('a handler of the root hides what any logger lets through below its level', () => {
  expect(hiddenBy('httpx', 'INFO', handlers)?.handler).toBe('StreamHandler')
  expect(hiddenBy('httpx', 'WARN', handlers)).toBeUndefined()
})

test('a handler of a logger reaches those below it, not those that merely begin alike', () => {
  expect(hiddenBy('shop.store.sql', 'INFO', handlers)?.handler).toBe('FileHandler')
  expect(hiddenBy('shop.store', 'WARN', handlers)?.handler).toBe('FileHandler')
  expect(hiddenBy('shop.storefront', 'WARN', handlers)).toBeUndefined()
})

test('levels without a name are compared by their number, and no level hides nothing', () => {
  expect(rank('15')).toBe(15)
  expect(hiddenBy('httpx', '25', handlers)?.level).toBe('WARN')
  expect(hiddenBy('httpx', '35', handlers)).toBeUndefined()
  expect([rank('NOTSET'), rank(''), rank('0')]).toEqual([undefined, undefined, undefined])
})
