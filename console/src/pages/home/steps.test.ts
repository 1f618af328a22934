import { expect, test } from 'vitest'
import { home } from '@/strings/tenancy'
import { stepsOf } from './steps'

const place = {
  project: { handle: 'orders', displayName: 'Orders' },
  integration: { handle: 'intake', displayName: 'Intake' },
  environment: { handle: 'prod', displayName: 'Production', critical: true },
}
const row = {
  id: 'rt-1',
  runtimeId: 'abc',
  status: 'RUNNING' as const,
  lastHeartbeatAt: '2026-11-21T10:00:00.000Z',
  changes: { state: 'IN_SYNC' as const, reason: '' },
  ...place,
}

test('one that runs as asked has no next step', () => {
  expect(stepsOf(row)).toEqual([])
})

test('of a silent one the lines around its last heartbeat are the next step', () => {
  const [lines, events] = stepsOf({ ...row, status: 'OFFLINE' })
  expect(lines).toMatchObject({ name: home.steps.silence, logs: true })
  expect(lines?.link).toMatchObject({
    params: { project: 'orders', integration: 'intake' },
    search: {
      runtime: 'abc',
      environment: 'prod',
      from: '2026-11-21T09:45:00.000Z',
      to: '2026-11-21T10:01:00.000Z',
    },
  })
  expect(events?.name).toBe(home.steps.events)
})

test('of one that was never heard there are no lines to look for', () => {
  expect(stepsOf({ ...row, status: 'UNKNOWN', lastHeartbeatAt: null }).map(({ name }) => name)).toEqual([
    home.steps.events,
  ])
})

test('a change that stalled leads to its commands, and to steering while the runtime is heard', () => {
  const stalled = { ...row, changes: { state: 'STALLED' as const, reason: 'no answer' } }
  expect(stepsOf(stalled).map(({ name }) => name)).toEqual([home.steps.commands, home.steps.steer])
  expect(stepsOf(stalled)[0]?.link).toMatchObject({ hash: 'commands' })
  expect(stepsOf({ ...stalled, status: 'OFFLINE' }).map(({ name }) => name)).not.toContain(home.steps.steer)
})
