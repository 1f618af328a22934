import { expect, test } from 'vitest'
import { hanging } from './counts'

const NOTHING = {
  kind: 'PROJECT' as const,
  handle: 'x',
  deleted: false,
  integrations: 0,
  runtimes: 0,
  runningRuntimes: 0,
  secrets: 0,
  desiredStates: 0,
  roleMappings: 0,
  groups: 0,
  message: '',
}

test('what is not there is not said', () => {
  expect(hanging(NOTHING)).toEqual([])
})

test('one is said in the singular, more in the plural, running ones after all of them', () => {
  expect(hanging({ ...NOTHING, integrations: 1, runtimes: 8, runningRuntimes: 1 })).toEqual([
    '1 integration',
    '8 runtimes',
    '1 of them is running now',
  ])
})
