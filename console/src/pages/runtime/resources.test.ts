import { expect, test } from 'vitest'
import { inOrder } from './resources'

const resource = (path: string, ...methods: string[]) => ({ path, methods, source: null })

test('resources stand by path, then by method', () => {
  const given = [
    resource('/orders/{id}', 'GET'),
    resource('/orders', 'POST'),
    resource('/health', 'GET'),
    resource('/orders/{id}', 'PUT', 'PATCH'),
    resource('/orders', 'GET'),
    resource('/orders/{id}', 'DELETE'),
  ]
  expect(inOrder(given).map(({ path, methods }) => `${path} ${methods.join('+')}`)).toEqual([
    '/health GET',
    '/orders GET',
    '/orders POST',
    '/orders/{id} DELETE',
    '/orders/{id} GET',
    '/orders/{id} PATCH+PUT',
  ])
  expect(given[0]?.methods).toEqual(['GET'])
})
