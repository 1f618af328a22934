// @vitest-environment happy-dom
import { beforeEach, expect, test } from 'vitest'
import { forgetVisits, recent, remembersFor, visited } from './recent'

beforeEach(() => {
  localStorage.clear()
  remembersFor('ada')
})

test('what was looked at last comes first, and each thing once', () => {
  visited('/runtimes/a', 'order-create-1')
  visited('/projects/billing', 'Billing')
  visited('/runtimes/a', 'order-create-1')
  expect(recent().map(({ title }) => title)).toEqual(['order-create-1', 'Billing'])
})

test('who leaves before the name came finds the place again, by its name where it was known', () => {
  visited('/projects/billing', 'Billing')
  visited('/projects/warehouse', 'warehouse', true)
  visited('/projects/billing', 'billing', true)
  expect(recent().map(({ title }) => title)).toEqual(['Billing', 'warehouse'])
  visited('/projects/warehouse', 'Warehouse')
  expect(recent().map(({ title }) => title)).toEqual(['Warehouse', 'Billing'])
})

test('lists and traces are no things that one comes back to', () => {
  for (const href of ['/', '/runtimes', '/runtimes/', '/projects', '/traces/4bf92f', '/logs']) visited(href, 'x')
  expect(recent()).toEqual([])
})

test('eight are kept', () => {
  for (let n = 0; n < 20; n++) visited(`/runtimes/${n}`, `r${n}`)
  expect(recent()).toHaveLength(8)
  expect(recent()[0]?.title).toBe('r19')
})

test('what somebody else wrote into the storage leads nowhere', () => {
  localStorage.setItem(
    'pilothouse.recent',
    '{"of":"ada","visits":[{"href":"https://elsewhere.example","title":"x"},7,null,{"href":"/runtimes/a"}]}',
  )
  expect(recent()).toEqual([])
  localStorage.setItem('pilothouse.recent', '{')
  expect(recent()).toEqual([])
})

test('nobody sees what somebody else looked at', () => {
  visited('/runtimes/a', 'order-create-1')
  remembersFor('bob')
  expect(recent()).toEqual([])
})

test('after the sign-out nothing is left', () => {
  visited('/runtimes/a', 'order-create-1')
  forgetVisits()
  expect(recent()).toEqual([])
  expect(localStorage.getItem('pilothouse.recent')).toBeNull()
})
