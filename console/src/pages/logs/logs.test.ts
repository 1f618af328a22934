import { expect, test } from 'vitest'
import type { LogLineRowFragment } from '@/api/generated/telemetry'
import { logs as read } from '@/util/search'
import { andWorse, downloadAddress, logFilter, timeOf } from './filter'
import { plainText } from './line'
import { KEPT, withArrived } from './use-tail'

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
