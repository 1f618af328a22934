import { expect, test } from 'vitest'
import { askedOf } from './palette-things'

test.each([
  ['restart orders-1', 'restart', 'orders-1'],
  ['Open logs of Orders 1', 'logs', 'Orders 1'],
  ['set log level orders', 'levels', 'orders'],
  ['logs of', 'logs', 'of'],
  ['restart', undefined, 'restart'],
  ['restarter', undefined, 'restarter'],
  ['orders', undefined, 'orders'],
])('%s', (typed, verb, name) => {
  expect(askedOf(typed)).toEqual({ verb, name })
})
