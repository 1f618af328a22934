import { expect, test } from 'vitest'
import type { LogLineRowFragment } from '@/api/generated/telemetry'
import { logs as read } from '@/util/search'
import { cellOf, columnName, offered } from './columns'
import { andWorse, downloadAddress, logFilter, timeOf } from './filter'
import { keptSearch, keptText } from './kept'
import { plainText } from './line'
import { KEPT, withArrived } from './use-tail'
import { barAt, wider } from './zoom'

const NOW = Date.parse('2026-11-21T12:00:00Z')

function line(id: string, over: Partial<LogLineRowFragment> = {}): LogLineRowFragment {
  const origin = {
    unclaimed: true,
    project: null,
    integration: null,
    environment: null,
    runtimeId: null,
    runtime: null,
  }
  return {
    id,
    at: '2026-11-21T11:59:00.000Z',
    level: 'INFO',
    message: `line ${id}`,
    logger: null,
    traceId: null,
    spanId: null,
    attributes: [],
    origin,
    ...over,
  }
}

test('a span counts from now, a chosen time wins', () => {
  expect(timeOf({}, NOW)).toEqual({ from: '2026-11-21T11:00:00.000Z', to: null })
  expect(timeOf({ span: '7d' }, NOW).from).toBe('2026-11-14T12:00:00.000Z')
  const chosen = { span: '7d', from: '2026-11-21T01:00:00Z', to: '2026-11-21T02:00:00Z' } as const
  expect(timeOf(chosen, NOW)).toEqual({ from: '2026-11-21T01:00:00.000Z', to: '2026-11-21T02:00:00.000Z' })
})

test('a level stands for itself and all that are worse', () => {
  expect(andWorse('WARN')).toEqual(['WARN', 'ERROR', 'FATAL'])
  expect(andWorse(undefined)).toBeNull()
})

test('what the address does not know is dropped', () => {
  expect(read({ level: 'LOUD', span: '3h', live: 'yes', integration: 'lonely', token: '4711' })).toEqual(
    expect.objectContaining({
      level: undefined,
      span: undefined,
      live: undefined,
      integration: undefined,
      token: '4711',
    }),
  )
})

test('a status is one text or several, and of calls only where there is one', () => {
  expect(read({ status: 500 })).toMatchObject({ status: ['500'], calls: undefined })
  expect(read({ status: ['500', '5xx', '500', ' ', {}], calls: true })).toMatchObject({
    status: ['500', '5xx'],
    calls: true,
  })
  expect(read({ status: [], calls: true })).toMatchObject({ status: undefined, calls: undefined })
  expect(logFilter(read({ status: '404', calls: true }), NOW)).toMatchObject({ statuses: ['404'], outbound: true })
  expect(logFilter(read({}), NOW)).toMatchObject({ statuses: null, outbound: null })
  const address = downloadAddress(logFilter(read({ status: ['404', '5xx'], calls: true }), NOW), 'csv')
  expect(address).toContain('status=404&status=5xx&outbound=true')
})

test('the download names every filter, and nothing that looks like a credential', () => {
  const search = { project: 'shop', integration: 'orders', level: 'ERROR', search: 'a & b', token: '4711' } as const
  const asked = new URL(downloadAddress(logFilter(search, NOW), 'csv'), 'https://localhost').searchParams
  expect(Object.fromEntries(asked)).toEqual({
    format: 'csv',
    project: 'shop',
    integration: 'orders',
    level: 'FATAL',
    phrase: 'a & b',
    word: '4711',
    from: '2026-11-21T11:00:00.000Z',
  })
})

test('lines that arrive stand first, once, and the oldest go when there are too many', () => {
  expect(withArrived([line('1')], [line('1'), line('2'), line('3')]).map(({ id }) => id)).toEqual(['3', '2', '1'])
  const many = Array.from({ length: KEPT + 5 }, (_, number) => line(String(number)))
  expect(withArrived([line('first')], many)).toHaveLength(KEPT)
})

test('a copied line quotes what holds blanks', () => {
  const text = plainText(
    line('1', {
      logger: 'shop',
      attributes: [
        { key: 'a', value: 'x y' },
        { key: 'b', value: '1' },
      ],
    }),
  )
  expect(text).toBe('2026-11-21T11:59:00.000Z INFO shop line 1 a="x y" b=1')
})

test('a column shows a fact or an attribute, and nothing where a line has neither', () => {
  const one = line('1', { logger: 'shop', attributes: [{ key: 'order.id', value: '4711' }] })
  expect(cellOf(one, 'logger')).toBe('shop')
  expect(cellOf(one, 'order.id')).toBe('4711')
  expect(cellOf(one, 'invoice.id')).toBeUndefined()
  expect([columnName('traceId'), columnName('order.id')]).toEqual(['Trace', 'order.id'])
})

test('columns that are offered begin with those that are chosen, then facts, then the most frequent attributes', () => {
  const attributes = (...keys: string[]) => keys.map((key) => ({ key, value: 'x' }))
  const lines = [line('1', { attributes: attributes('rare', 'often') }), line('2', { attributes: attributes('often') })]
  expect(offered(lines, ['gone'])).toEqual(['gone', 'logger', 'runtime', 'traceId', 'often', 'rare'])
})

test('the address holds no more columns than there is room for', () => {
  expect(read({ columns: ['a', 'b', 'a', 'c', 'd', 'e', 'f'] }).columns).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(read({ columns: [] }).columns).toBeUndefined()
})

test('a saved query keeps everything but a time of its own, and is read back as strictly as an address', () => {
  const how = {
    stringify: (search: object) => JSON.stringify(search),
    parse: (text: string) => JSON.parse(text) as Record<string, unknown>,
  }
  const text = keptText(
    { level: 'ERROR', span: '6h', columns: ['a'], from: '2026-11-21T01:00:00Z', search: undefined },
    how,
  )
  expect(JSON.parse(text)).toEqual({ level: 'ERROR', span: '6h', columns: ['a'] })
  expect(keptSearch('{"level":"LOUD","span":"6h"}', how)).toEqual(read({ span: '6h' }))
})

test('zooming out doubles the time around its middle, and never looks beyond now', () => {
  const asked = { from: '2026-11-21T10:00:00Z', to: '2026-11-21T10:20:00Z' }
  expect(wider(asked, NOW)).toEqual({ from: '2026-11-21T09:50:00.000Z', to: '2026-11-21T10:30:00.000Z' })
  expect(wider({ from: '2026-11-21T11:50:00Z', to: '2026-11-21T12:00:00Z' }, NOW)).toEqual({
    from: '2026-11-21T11:45:00.000Z',
    to: '2026-11-21T12:00:00.000Z',
  })
})

test('a bar is found under a pointer, also at the very edges', () => {
  expect([10, 109, 110, 210, 9, 400].map((x) => barAt(x, 10, 200, 2))).toEqual([0, 0, 1, 1, 0, 1])
})
