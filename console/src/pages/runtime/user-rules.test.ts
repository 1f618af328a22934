import { expect, test } from 'vitest'
import { runtime } from '@/strings/runtimes'
import { faultsOf, unremovable } from './user-rules'

const words = runtime.users
const good = { name: 'grace', password: 'a-long-one', again: 'a-long-one' }

test('a new user that can be sent has no faults', () => {
  expect(faultsOf(good)).toEqual({})
  expect(faultsOf({ ...good, name: 'grace.h@x_1-2' })).toEqual({})
})

test.each(['', '.grace', 'a b', '../users', 'é', 'a'.repeat(65)])('the name %o cannot be one', (name) => {
  expect(faultsOf({ ...good, name })).toEqual({ name: words.badName })
})

test.each(['', 'short', 'with a space', 'tab\tin-it', 'x'.repeat(129)])('the password %o cannot be one', (password) => {
  expect(faultsOf({ ...good, password, again: password })).toEqual({ password: words.badPassword })
})

test('the account of the control plane, a password that is the name and two that differ are named', () => {
  expect(faultsOf({ ...good, name: 'icp-service' })).toEqual({ name: words.ownAccount })
  expect(faultsOf({ name: 'Grace-Hopper', password: 'grace-hopper', again: 'grace-hopper' })).toEqual({
    password: words.sameAsName,
  })
  expect(faultsOf({ ...good, again: 'another-one' })).toEqual({ again: words.differ })
})

test('who is listed is removed, but for the account of the control plane and names that no address takes', () => {
  expect(unremovable('ada')).toBeUndefined()
  expect(unremovable('LDAP/ada')).toBeUndefined()
  expect(unremovable('icp-service')).toBe(words.ownAccount)
  expect(unremovable('LDAP/icp-service')).toBe(words.ownAccount)
  expect(unremovable('Ada Lovelace')).toBe(words.elsewhere)
  expect(unremovable('a/b/ada')).toBe(words.elsewhere)
})
