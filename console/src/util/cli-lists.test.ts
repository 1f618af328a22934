import { expect, test } from 'vitest'
import { lists } from './cli-lists'

const place = { project: 'shop', integration: 'orders', environment: 'prod' }

test('a list of a place is narrowed to it', () => {
  expect(lists.secrets(place)).toBe('pilothouse secrets list --project shop --integration orders --environment prod')
  expect(lists.integrations('shop', 'ord er', 'PY')).toBe(
    "pilothouse integrations list --project shop --search 'ord er' --type PY",
  )
  expect(lists.environments()).toBe('pilothouse environments list')
  expect(lists.projects('')).toBe('pilothouse projects list')
})

test('the lines of the logs are asked for as they are seen: a level with all that is graver, up to now or a chosen time', () => {
  expect(lists.logs({})).toBe('pilothouse logs --since 1h')
  expect(lists.logs({ ...place, runtime: 'r1', level: 'WARN', search: "can't", live: true, span: '15m' })).toBe(
    "pilothouse logs --follow --project shop --integration orders --environment prod --runtime r1 --level 'warn+' --grep 'can'\\''t' --since 15m",
  )
  expect(lists.logs({ status: ['500', 'none'], calls: true, from: '2026-11-23T09:00:00.000Z' })).toBe(
    'pilothouse logs --status 500 --status none --outbound --from 2026-11-23T09:00:00.000Z',
  )
})

test('what is not as wanted is asked for by place and trouble', () => {
  expect(lists.drift({ project: 'shop', environment: 'prod', trouble: 'FAILED' })).toBe(
    'pilothouse drift list --project shop --environment prod --trouble failed',
  )
  expect(lists.drift({})).toBe('pilothouse drift list')
})

test('so are traces', () => {
  expect(lists.traces({ service: 'orders', operation: 'GET /', failed: true, slower: 250, span: '7d' })).toBe(
    "pilothouse traces --service orders --name 'GET /' --failed --slower-than 250 --since 7d",
  )
})

test('what happened is asked for by kind and time, in a place or of a runtime', () => {
  const from = '2026-11-23T09:00'
  expect(lists.events({ kind: 'runtime.offline', from }, { ...place, runtime: 'rt-1' })).toBe(
    `pilothouse events list --project shop --integration orders --environment prod --runtime rt-1 --kind runtime.offline --from ${new Date(from).toISOString()}`,
  )
})

test('nothing is offered where the command line would list something else than the page', () => {
  expect(lists.audit({ actor: 'user:ada', outcome: 'REFUSED' })).toBe(
    'pilothouse audit list --actor user:ada --outcome REFUSED',
  )
  expect(lists.audit({ project: 'shop' })).toBeNull()
  expect(lists.users('ada', [undefined, undefined])).toBe('pilothouse users list --search ada')
  expect(lists.users('', ['SERVICE'])).toBeNull()
})
