import { expect, test, vi } from 'vitest'
import type { CommandRowFragment, RuntimeRowFragment } from '@/api/generated/operations'
import type { RuntimeChange } from '@/live/subscription'
import { environmentsOf, placesOf, split } from './bulk'
import { BulkRun, type Task, type World } from './bulk-run'

const DEV = { handle: 'dev', displayName: 'Development', critical: false }
const PROD = { handle: 'prod', displayName: 'Production', critical: true }

function row(id: string, changes: Partial<RuntimeRowFragment> = {}): RuntimeRowFragment {
  return {
    id,
    status: 'RUNNING',
    restartable: true,
    environment: DEV,
    project: { handle: 'p', displayName: 'P' },
    integration: { handle: 'i', displayName: 'I' },
    ...changes,
  } as RuntimeRowFragment
}

function command(id: string, state: CommandRowFragment['state'], runtime = `of-${id}`): CommandRowFragment {
  return {
    id,
    state,
    reason: `It is ${state}.`,
    retryable: state === 'FAILED',
    runtime: { id: runtime, name: runtime, runtimeId: runtime },
  } as CommandRowFragment
}

/** A world whose line says what a test lets it say. */
function makeWorld(changes: Partial<World> = {}) {
  const takers = new Set<(change: RuntimeChange) => void>()
  const told: RuntimeChange[] = []
  const world: World = {
    listen: (take) => {
      takers.add(take)
      return () => takers.delete(take)
    },
    recent: () => told,
    read: () => Promise.resolve(null),
    retry: () => Promise.reject(new Error('no')),
    ...changes,
  }
  const tell = (each: CommandRowFragment) => {
    const change = { command: each } as RuntimeChange
    told.push(change)
    for (const take of takers) take(change)
  }
  return { world, tell, takers }
}

const tasksOf = (send: (key: string) => Promise<{ command: CommandRowFragment }>, ...keys: string[]): Task[] =>
  keys.map((key) => ({ key, label: key, runtime: key, send: () => send(key) }))
const states = (run: BulkRun) => run.progress().lines.map(({ key, state }) => `${key} ${state}`)
const settled = () => new Promise((resolve) => setTimeout(resolve, 0))

test('what cannot be restarted is left out with its reason, and what is refused in its place too', () => {
  const rows = [
    row('a'),
    row('b', { status: 'OFFLINE' }),
    row('c', { restartable: false }),
    row('d', { environment: PROD }),
  ]
  const mayNot = ({ environment }: RuntimeRowFragment) => (environment.critical ? 'You may not.' : undefined)
  const { able, leftOut } = split('restart', rows, mayNot)
  expect(able.map(({ id }) => id)).toEqual(['a'])
  expect(leftOut.map(([why, some]) => [why.slice(0, 14), some.map(({ id }) => id)])).toEqual([
    ['It does not ru', ['b']],
    ['It did not dec', ['c']],
    ['You may not.', ['d']],
  ])
  expect(split('remove', rows, () => undefined).able).toHaveLength(4)
})

test('a selection is told by place, and by environment with the critical ones first', () => {
  const rows = [row('a'), row('b', { environment: PROD }), row('c')]
  expect(placesOf(rows).map(({ key, rows: some }) => [key, some.length])).toEqual([
    ['p/i/dev', 2],
    ['p/i/prod', 1],
  ])
  expect(environmentsOf(rows).map(({ environment }) => environment.handle)).toEqual(['prod', 'dev'])
})

test('four are asked at once, the next when one is answered, and each is followed until it ends', async () => {
  const { world, tell, takers } = makeWorld()
  const answers = new Map<string, (value: { command: CommandRowFragment }) => void>()
  const run = new BulkRun(
    'Restart',
    tasksOf((key) => new Promise((resolve) => answers.set(key, resolve)), 'a', 'b', 'c', 'd', 'e'),
    world,
  )
  run.start()
  expect(states(run)).toEqual(['a SENDING', 'b SENDING', 'c SENDING', 'd SENDING', 'e WAITING'])
  answers.get('a')?.({ command: command('1', 'QUEUED') })
  await settled()
  expect(states(run)).toEqual(['a QUEUED', 'b SENDING', 'c SENDING', 'd SENDING', 'e SENDING'])
  tell(command('1', 'DELIVERED'))
  expect(states(run)[0]).toBe('a DELIVERED')
  tell(command('1', 'CONFIRMED'))
  for (const [index, key] of ['b', 'c', 'd', 'e'].entries()) {
    answers.get(key)?.({ command: command(`${index + 2}`, 'QUEUED') })
    await settled()
    tell(command(`${index + 2}`, 'CONFIRMED'))
  }
  expect(run.progress()).toMatchObject({ ended: 5, bad: 0, over: true })
  expect(takers.size).toBe(0)
})

test('an answer that is older than what the line told does not take the command back', async () => {
  const { world, tell } = makeWorld()
  tell(command('1', 'CONFIRMED'))
  const run = new BulkRun(
    'Restart',
    tasksOf(() => Promise.resolve({ command: command('1', 'QUEUED') }), 'a'),
    world,
  )
  run.start()
  await settled()
  expect(states(run)).toEqual(['a CONFIRMED'])
  tell(command('1', 'DELIVERED'))
  expect(states(run)).toEqual(['a CONFIRMED'])
})

test('a request that fails says why and is sent again; a command that failed is tried once more', async () => {
  let fails = true
  const { world, tell } = makeWorld({ retry: () => Promise.resolve(command('2', 'QUEUED')) })
  const send = () =>
    fails ? Promise.reject(new Error('No answer.')) : Promise.resolve({ command: command('1', 'QUEUED') })
  const run = new BulkRun('Restart', tasksOf(send, 'a'), world)
  run.start()
  await settled()
  expect(run.progress().lines[0]).toMatchObject({ state: 'REFUSED', reason: 'No answer.', retryable: true })
  fails = false
  await run.again('a')
  await settled()
  tell(command('1', 'FAILED'))
  expect(run.progress()).toMatchObject({ bad: 1, over: true })
  run.againAll()
  await settled()
  expect(states(run)).toEqual(['a QUEUED'])
  tell(command('2', 'CONFIRMED'))
  expect(run.progress()).toMatchObject({ bad: 0, over: true })
})

test('what was stopped is not asked, and what was asked ends as it ends', async () => {
  const { world, tell } = makeWorld()
  const sent = vi.fn((key: string) => Promise.resolve({ command: command(key, 'QUEUED') }))
  const run = new BulkRun('Restart', tasksOf(sent, 'a', 'b', 'c', 'd', 'e', 'f'), world)
  run.start()
  run.stop()
  await settled()
  expect(sent).toHaveBeenCalledTimes(4)
  expect(states(run).slice(4)).toEqual(['e STOPPED', 'f STOPPED'])
  for (const key of ['a', 'b', 'c', 'd']) tell(command(key, 'CONFIRMED'))
  expect(run.progress().over).toBe(true)
})

test('a wish for a place becomes one line for each runtime that it reaches', async () => {
  const { world, tell } = makeWorld()
  const commands = [command('1', 'QUEUED', 'x'), command('2', 'QUEUED', 'y')]
  const run = new BulkRun(
    'Level',
    [{ key: 'p/i/dev', label: 'p/i/dev', send: () => Promise.resolve({ commands, said: 'Asked.' }) }],
    world,
  )
  run.start()
  await settled()
  expect(states(run)).toEqual(['p/i/dev DONE', '1 QUEUED', '2 QUEUED'])
  tell(command('1', 'CONFIRMED'))
  tell(command('2', 'FAILED'))
  expect(run.progress()).toMatchObject({ ended: 3, bad: 1, over: true })
})

test('where the line is cut off commands are read again', async () => {
  vi.useFakeTimers()
  const { world } = makeWorld({ read: (id) => Promise.resolve(command(id, 'CONFIRMED')) })
  const run = new BulkRun(
    'Restart',
    tasksOf(() => Promise.resolve({ command: command('1', 'QUEUED') }), 'a'),
    world,
  )
  run.start()
  await vi.advanceTimersByTimeAsync(3_100)
  vi.useRealTimers()
  expect(states(run)).toEqual(['a CONFIRMED'])
})
