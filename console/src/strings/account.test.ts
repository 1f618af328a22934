import { expect, test } from 'vitest'
import contract from '../../../contracts/sessions.md?raw'
import identity from '../../../server/src/pilothouse/identity/external.py?raw'
import signIn from '../../../server/src/pilothouse/operations/external_sign_in.py?raw'
import { otherProblem, problems } from './account'

/** A password's, which is never sent back in an address. */
const BY_FORM = 'SIGN_IN_REFUSED'

test('every code with which a sign-in comes back from the identity provider is explained', () => {
  const row = contract.split('\n').find((line) => line.includes('/auth/oidc/callback')) ?? ''
  const promised = [...row.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code]) => code)
  const raised = [...`${identity}\n${signIn}`.matchAll(/^ {4}code = "([A-Z_]+)"/gm)].map(([, code]) => code)
  expect(promised.length).toBeGreaterThan(4)
  expect(raised.length).toBeGreaterThan(4)
  const codes = [...promised, ...raised].filter((code) => code !== BY_FORM)
  expect(codes.filter((code) => !Object.hasOwn(problems, code ?? ''))).toEqual([])
})

test('a code of a later control plane is at least named', () => {
  expect(otherProblem('SOMETHING_NEW').message).toContain('SOMETHING_NEW')
})
