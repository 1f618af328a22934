import { expect, test } from 'vitest'
import type { CommandState } from '@/api/generated/operations'
import { type Command, isOf, isOrphan, levelOf, pressedFor, standingOf, switchedTo } from './standing'

function command(id: string, runtime: string, state: CommandState, second: number): Command {
  return {
    id,
    runtime: { id: runtime } as Command['runtime'],
    action: 'STOP',
    kind: 'LISTENER',
    name: 'http',
    package: 'uvicorn',
    aspect: 'STATE',
    value: 'DISABLED',
    state,
    reason: '',
    route: null,
    author: 'admin',
    attempts: 0,
    queuedAt: `2026-11-21T10:00:0${second}.000Z`,
    deliveredAt: null,
    endedAt: null,
    nextAttemptAt: null,
    deadline: null,
    retryable: false,
  }
}
const ids = (commands: Command[]) => commands.map(({ id }) => id)

test('a command that was seen to be confirmed stays shown after it left the list', () => {
  const standing = standingOf([], [command('a', 'r1', 'CONFIRMED', 1)])
  expect(ids(standing.confirmed)).toEqual(['a'])
})

test('what the line says of an open command is newer than the list, of an ended one it is not', () => {
  const open = standingOf([command('a', 'r1', 'QUEUED', 1)], [command('a', 'r1', 'DELIVERED', 1)])
  expect(open.open[0]?.state).toBe('DELIVERED')
  const ended = standingOf([command('a', 'r1', 'FAILED', 1)], [command('a', 'r1', 'DELIVERED', 1)])
  expect(ids(ended.failed)).toEqual(['a'])
  expect(ended.open).toEqual([])
})

test('a retry takes the place of the failed command of its runtime, not of another one', () => {
  const failed = [command('a', 'r1', 'FAILED', 1), command('b', 'r2', 'FAILED', 1)]
  const standing = standingOf(failed, [command('c', 'r1', 'DELIVERED', 2)])
  expect(ids(standing.failed)).toEqual(['b'])
  expect(ids(standing.open)).toEqual(['c'])
})

test('a superseded command is not shown as anything, and gives way within the same instant', () => {
  const standing = standingOf([command('b', 'r1', 'QUEUED', 1)], [command('a', 'r1', 'SUPERSEDED', 1)])
  expect(standing).toMatchObject({ failed: [], open: [{ id: 'b' }], confirmed: [] })
})

test('an expired command counts as failed', () => {
  expect(ids(standingOf([command('a', 'r1', 'EXPIRED', 1)], []).failed)).toEqual(['a'])
})

test('a switch shows what is observed, and nothing where runtimes differ or do not tell', () => {
  const on = (...values: string[]) => switchedTo(values.map((value) => ({ value })))
  expect(on('ENABLED')).toBe('on')
  expect(on('DISABLED')).toBe('off')
  expect(on('GATED')).toBe('off')
  expect(on('ENABLED', 'DISABLED')).toBe('mixed')
  expect([on('FAILED'), on('UNKNOWN'), on('DRAINING'), on()]).toEqual(['mixed', 'mixed', 'mixed', 'mixed'])
})

test('pressing asks for the other state, and takes back what is still on its way', () => {
  expect(pressedFor('on', undefined, 0)).toBe('DISABLED')
  expect(pressedFor('off', undefined, 0)).toBe('ENABLED')
  expect(pressedFor('on', 'DISABLED', 2)).toBe('ENABLED')
  expect(pressedFor('on', 'DISABLED', 0)).toBe('DISABLED')
})

test('a level is shown only where all tell the same', () => {
  expect(levelOf([{ value: 'INFO' }])).toBe('INFO')
  expect(levelOf([{ value: 'INFO' }, { value: 'DEBUG' }])).toBeUndefined()
  expect(levelOf([{ value: 'UNKNOWN' }])).toBeUndefined()
})

test('two artifacts of one name are told apart by their package', () => {
  const target = { kind: 'LISTENER', name: 'http', package: 'uvicorn', aspect: 'STATE' } as const
  expect(isOf(target, command('a', 'r1', 'QUEUED', 1))).toBe(true)
  expect(isOf({ ...target, package: 'grpc' }, command('a', 'r1', 'QUEUED', 1))).toBe(false)
})

test('a wish is an orphan after seven days without a host', () => {
  const now = Date.parse('2026-11-21T10:00:00Z')
  expect(isOrphan(null, now)).toBe(false)
  expect(isOrphan('2026-11-15T10:00:00Z', now)).toBe(false)
  expect(isOrphan('2026-11-14T09:59:59Z', now)).toBe(true)
})
