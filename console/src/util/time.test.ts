import { expect, onTestFinished, test, vi } from 'vitest'
import { learnSkew, serverNow } from './clock'
import { exactTime, formatSpan } from './time'

const S = 1_000
const MIN = 60 * S
const H = 60 * MIN
const D = 24 * H

test.each([
  [-5 * S, '0 s'],
  [0, '0 s'],
  [59_999, '59 s'],
  [MIN, '1 min'],
  [59 * MIN + 59 * S, '59 min'],
  [H, '1 h'],
  [2 * H + 5 * MIN, '2 h 5 min'],
  [D, '1 d'],
  [4 * D + 3 * H, '4 d 3 h'],
  [61 * D, '61 d'],
])('%d ms are %j', (ms, text) => {
  expect(formatSpan(ms)).toBe(text)
})

test('an exact time always carries UTC', () => {
  expect(exactTime('2026-11-21T10:02:11.254Z')).toMatch(/2026-11-21 10:02:11 UTC$/)
})

test('an exact time has the name of its zone in that season, whichever was asked for first', async () => {
  vi.stubEnv('TZ', 'Europe/Berlin')
  vi.resetModules()
  onTestFinished(() => void vi.unstubAllEnvs())
  const there = await import('./time')
  const winter = '2026-01-21 11:02:11 GMT+1 · 2026-01-21 10:02:11 UTC'
  expect(there.exactTime('2026-01-21T10:02:11Z')).toBe(winter)
  expect(there.exactTime('2026-07-21T10:02:11Z')).toBe('2026-07-21 12:02:11 GMT+2 · 2026-07-21 10:02:11 UTC')
  expect(there.exactTime('2026-01-21T10:02:11Z')).toBe(winter)
})

test("a clock that is minutes off is corrected by the server's, noise is not", () => {
  const received = Date.parse('2026-11-21T10:00:00Z')
  learnSkew('Sat, 21 Nov 2026 10:03:00 GMT', received)
  expect(Math.round((serverNow() - Date.now()) / S)).toBe(180)
  learnSkew('Sat, 21 Nov 2026 10:00:01 GMT', received)
  expect(Math.round((serverNow() - Date.now()) / S)).toBe(0)
})
