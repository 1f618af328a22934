import { expect, test } from 'vitest'
import { latelyOf } from './lately-time'

const now = Date.parse('2026-11-21T10:30:42.000Z')

test('of one that runs it is the last hour, open at its end, the same within a minute', () => {
  const running = { status: 'RUNNING', lastHeartbeatAt: '2026-11-21T10:30:40.000Z' }
  expect(latelyOf(running, now)).toEqual({ from: '2026-11-21T09:30:00.000Z' })
  expect(latelyOf(running, now + 15_000)).toEqual(latelyOf(running, now))
})

test('of a silent one it is the hour before its last heartbeat, and the minute in which lines still came', () => {
  expect(latelyOf({ status: 'OFFLINE', lastHeartbeatAt: '2026-11-20T02:14:30.000Z' }, now)).toEqual({
    from: '2026-11-20T01:14:00.000Z',
    to: '2026-11-20T02:16:00.000Z',
  })
})

test('of one that was never heard it is the last hour', () => {
  expect(latelyOf({ status: 'UNKNOWN', lastHeartbeatAt: null }, now)).toEqual({ from: '2026-11-21T09:30:00.000Z' })
})
