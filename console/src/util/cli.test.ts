import { expect, test } from 'vitest'
import { cli, word } from './cli'

const LOGGER = { kind: 'LOGGER', name: 'root', package: '', aspect: 'LEVEL' }
const PLACE = { project: 'billing', integration: 'dunning', environment: 'prod' }

test('only what is chosen stands on the command line', () => {
  expect(cli.listRuntimes({})).toBe('pilothouse runtimes list')
  expect(cli.listRuntimes({ environment: 'prod', status: 'OFFLINE', project: undefined })).toBe(
    'pilothouse runtimes list --environment prod --status OFFLINE',
  )
})

test('what a shell would read otherwise is quoted', () => {
  expect(word("it's a; rm")).toBe(`'it'\\''s a; rm'`)
  expect(cli.setArtifact({ ...LOGGER, name: 'my app' }, 'DEBUG', PLACE)).toBe(
    "pilothouse log-level set 'my app' DEBUG --project billing --integration dunning --environment prod",
  )
})

test('kinds with a verb of their own use it, the others the general one, a critical place is confirmed', () => {
  const listener = { kind: 'LISTENER', name: 'http', package: '', aspect: 'STATE' }
  const place = { ...PLACE, confirm: 'prod' }
  const where = '--project billing --integration dunning --environment prod --confirm prod'
  expect(cli.setArtifact(listener, 'DISABLED', place)).toBe(`pilothouse listeners stop http ${where}`)
  expect(cli.setArtifact({ ...listener, kind: 'ENDPOINT', aspect: 'TRACING' }, 'ENABLED', place)).toBe(
    `pilothouse artifacts set ENDPOINT http ENABLED ${where} --aspect TRACING`,
  )
})

test('users of a Micro Integrator: the password is no part of the command line', () => {
  expect(cli.addUser({ id: 'r1' }, 'grace', true, null)).toBe('pilothouse runtimes users add r1 grace --administrator')
  expect(cli.removeUser({ id: 'r1' }, 'ada', null)).toBe('pilothouse runtimes users remove r1 ada --yes')
  expect(cli.removeUser({ id: 'r1' }, 'ada', 'prod')).toBe('pilothouse runtimes users remove r1 ada --confirm prod')
})

test('secrets: the place, and the spans as the command line takes them', () => {
  expect(cli.generateSecret({ environment: 'dev' })).toBe('pilothouse secrets generate --environment dev')
  expect(cli.generateSecret({ ...PLACE })).toBe(
    'pilothouse secrets generate --environment prod --project billing --integration dunning',
  )
  expect(cli.rotateSecret('k1', 86_400)).toBe('pilothouse secrets rotate k1 --overlap 86400s')
  expect(cli.revokeSecret('k1', 0, null)).toBe('pilothouse secrets revoke k1')
  expect(cli.revokeSecret('k1', 3_600, 'prod')).toBe('pilothouse secrets revoke k1 --grace 3600s --confirm prod')
})

test('a deletion names what hangs on it only where something does, and confirms with the handle', () => {
  expect(cli.deletePlace('PROJECT', 'billing', undefined, true)).toBe(
    'pilothouse projects delete billing --cascade --confirm billing',
  )
  expect(cli.deletePlace('INTEGRATION', 'dunning', 'billing', false)).toBe(
    'pilothouse integrations delete dunning --project billing --confirm dunning',
  )
  expect(cli.deletePlace('ENVIRONMENT', 'dev', undefined, false)).toBe(
    'pilothouse environments delete dev --confirm dev',
  )
})

test('a job runs on one runtime, in a critical place by its name', () => {
  const job = { kind: 'SCHEDULE', name: 'nightly report', package: 'apscheduler' }
  expect(cli.trigger(job, 'rt-1', 'prod')).toBe(
    "pilothouse trigger 'nightly report' --runtime rt-1 --kind SCHEDULE --package apscheduler --confirm prod",
  )
  expect(cli.trigger({ ...job, package: '' }, 'rt-1', null)).toBe(
    "pilothouse trigger 'nightly report' --runtime rt-1 --kind SCHEDULE",
  )
})

test('what is done to a user, and a command that is tried again', () => {
  expect(cli.changeUser('reset-password', 'ada')).toBe('pilothouse users reset-password ada')
  expect(cli.changeUser('delete', 'ada')).toBe('pilothouse users delete ada --yes')
  expect(cli.retryCommand({ id: 'c1' })).toBe('pilothouse commands retry c1')
})
