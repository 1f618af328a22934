import { expect, test } from 'vitest'
import type { Limits } from '@/api/alerts-queries'
import type { AlertRowFragment, AlertRuleRowFragment, ToldFragment } from '@/api/generated/alerts'
import { gravestFirst, heldBack, looksOf, momentOf, toldOf, toldWords } from './alert'
import { addresses, channelFaults, channelInput, newChannel } from './channel-draft'
import { CONDITIONS, figure, limit, shownThreshold, spanChoices, spanWords, wireThreshold } from './figures'
import { draftOf, faultsOf, inputOf, inWords, newDraft, ruleInWords, withCondition } from './rule-draft'
import { newSilence, silenceFaults, silenceInput, standing } from './silence-draft'

const NOW = Date.parse('2026-11-21T10:00:00Z')

const told = (more: Partial<ToldFragment>): ToldFragment => ({
  id: 'n',
  channel: { id: 'ops', name: 'Operators', kind: 'SLACK' },
  kind: 'firing',
  state: 'SENT',
  attempts: 1,
  reason: null,
  createdAt: '2026-11-21T09:00:00Z',
  sentAt: '2026-11-21T09:00:01Z',
  nextAttemptAt: null,
  ...more,
})

const alert = (more: Partial<AlertRowFragment> = {}): AlertRowFragment => ({
  id: 'a',
  rule: { id: 'r', name: 'Orders fail' },
  severity: 'WARNING',
  state: 'FIRING',
  message: '12 % of 200 requests failed over 300 s.',
  project: { handle: 'order-service', displayName: 'Order Service' },
  integration: { handle: 'order-create', displayName: 'Order Create' },
  environment: { handle: 'prod', displayName: 'Production', critical: true },
  runtime: null,
  value: 0.12,
  since: '2026-11-21T09:30:00.000Z',
  firedAt: null,
  resolvedAt: null,
  silenced: false,
  notifications: [],
  ...more,
})

const rule = (more: Partial<Limits> = {}): Limits => ({
  id: 'r',
  name: 'Orders fail',
  condition: 'ERROR_RATE',
  threshold: 0.05,
  percentile: null,
  windowS: 900,
  ...more,
})

test('of each channel the last word counts, and a failure keeps its attempts and its reason', () => {
  const all = toldOf([
    told({ id: '3', state: 'FAILED', attempts: 5, reason: 'The mailbox is full.' }),
    told({ id: '2', channel: { id: 'pd', name: 'On call', kind: 'PAGERDUTY' } }),
    told({ id: '1' }),
    told({ id: '0', channel: null, state: 'WAITING', attempts: 0 }),
  ])
  expect(all.map(toldWords)).toEqual([
    'Operators: not delivered, 5 attempts',
    'On call: delivered',
    'a deleted channel: about to be sent',
  ])
  expect(all[0]?.reason).toBe('The mailbox is full.')
})

test('what is new waits while somebody points at the list; what ended leaves it', () => {
  const rows = [{ id: 'new' }, { id: 'b' }]
  expect(heldBack(rows, undefined)).toEqual({ shown: rows, held: 0 })
  expect(heldBack(rows, new Set(['a', 'b']))).toEqual({ shown: [{ id: 'b' }], held: 1 })
})

test('the worst comes first, and equals stay as they came', () => {
  const rows = (['INFO', 'CRITICAL', 'WARNING', 'CRITICAL'] as const).map((severity, id) => ({ severity, id }))
  expect(gravestFirst(rows).map(({ id }) => id)).toEqual([1, 3, 2, 0])
})

test('the time of an alert begins with what its rule looked at, and ends only when it has', () => {
  expect(momentOf(alert(), 900)).toEqual({ from: '2026-11-21T09:15:00.000Z' })
  expect(momentOf(alert({ resolvedAt: '2026-11-21T09:45:00.000Z' }), 60)).toEqual({
    from: '2026-11-21T09:25:00.000Z',
    to: '2026-11-21T09:46:00.000Z',
  })
})

test('an alert leads to what it is about, and what is not open to the viewer says why', () => {
  const all = { runtimes: undefined, logs: undefined, insights: undefined, secrets: undefined }
  const none = { runtimes: undefined, logs: 'no logs', insights: 'no insights', secrets: 'no secrets' }
  const [metrics, traces, errors] = looksOf(alert(), rule(), all)
  expect(metrics).toMatchObject({ name: 'Metrics of that time', link: { search: { environment: 'prod' } } })
  expect(traces).toMatchObject({ name: 'Failed traces of that time', link: { search: { failed: true } } })
  expect(errors).toMatchObject({
    name: 'Errors in the logs of that time',
    link: {
      params: { project: 'order-service', integration: 'order-create' },
      search: { environment: 'prod', level: 'ERROR', from: '2026-11-21T09:15:00.000Z' },
    },
  })
  expect([metrics, traces, errors].map((each) => each?.blocked)).toEqual(Array(3).fill(undefined))
  expect(looksOf(alert(), rule(), none).map(({ name, blocked }) => [name, blocked])).toEqual([
    ['Metrics of that time', 'no insights'],
    ['Failed traces of that time', 'no insights'],
    ['Errors in the logs of that time', 'no logs'],
  ])
  const runtime = { id: 'rt-1', runtimeId: 'u-1', name: 'orders-1' }
  const offline = looksOf(alert({ runtime }), rule({ condition: 'RUNTIME_OFFLINE' }), none)
  expect(offline.map(({ name, blocked }) => [name, blocked])).toEqual([
    ['The runtime', undefined],
    ['Events of the runtime', undefined],
    ['Logs of that time', 'no logs'],
  ])
  expect(looksOf(alert(), rule({ condition: 'EXPIRING' }), none)).toMatchObject([{ blocked: 'no secrets' }])
  expect(looksOf(alert(), rule({ condition: 'EXPIRING' }), all).map(({ name }) => name)).toEqual(['Secrets'])
})

test.each([
  ['ERROR_RATE', 0.1237, '12.4 %'],
  ['LATENCY', 0.0421, '42.1 ms'],
  ['LATENCY', 1.5, '1.5 s'],
  ['LOG_PATTERN', 1, '1 line'],
  ['EXPIRING', 6.9, '6 days'],
  ['EXPIRING', -0.2, 'ended'],
  ['REPLICAS_BELOW', 2, '2 runtimes'],
  ['TELEMETRY_DROPPED', 120, '120 records'],
  ['NO_TRAFFIC', 0, '0 requests'],
] as const)('a figure of %s: %d is read as %s', (condition, value, read) => {
  expect(figure(condition, value)).toBe(read)
})

test('the limit stands in the unit of the figure, with the percentile where there is one', () => {
  expect(limit(rule())).toBe('above 5 %')
  expect(limit(rule({ condition: 'LATENCY', threshold: 0.8, percentile: 0.999 }))).toBe('p99.9 above 800 ms')
  expect(limit(rule({ condition: 'RUNTIME_OFFLINE', threshold: null }))).toBeUndefined()
})

test.each([
  ['ERROR_RATE', '7', 0.07],
  ['ERROR_RATE', '0,5', 0.005],
  ['ERROR_RATE', '101', undefined],
  ['LATENCY', '800', 0.8],
  ['REPLICAS_BELOW', '2', 2],
  ['REPLICAS_BELOW', '2.5', undefined],
  ['REPLICAS_BELOW', '0', undefined],
  ['LOG_PATTERN', '', undefined],
  ['EXPIRING', 'soon', undefined],
  ['RUNTIME_OFFLINE', '1', undefined],
] as const)('a threshold of %s written %j is sent as %j', (condition, shown, sent) => {
  expect(wireThreshold(condition, shown)).toBe(sent)
})

test('what is usual for a condition can be sent as it stands', () => {
  for (const condition of CONDITIONS) {
    const usual = shownThreshold(condition, null)
    expect(usual === '' || wireThreshold(condition, usual) !== undefined).toBe(true)
  }
  expect(shownThreshold('ERROR_RATE', 0.07)).toBe('7')
})

test('spans are said in the largest unit that fits, and a set one is among the choices', () => {
  expect([45, 60, 5_400, 7_200, 86_400].map(spanWords)).toEqual([
    '45 seconds',
    '1 minute',
    '90 minutes',
    '2 hours',
    '1 day',
  ])
  expect(spanChoices([60, 300], 120)).toEqual([60, 120, 300])
  expect(spanChoices([60, 300], 300)).toEqual([60, 300])
})

const stored: AlertRuleRowFragment = {
  id: 'r',
  name: 'Cards are refused',
  condition: 'LOG_PATTERN',
  severity: 'WARNING',
  enabled: true,
  builtIn: false,
  criticalOnly: false,
  project: { handle: 'order-service', displayName: 'Order Service' },
  integration: null,
  environment: { handle: 'prod', displayName: 'Production', critical: true },
  threshold: 10,
  percentile: null,
  windowS: 300,
  pattern: 'card has expired',
  levels: ['ERROR', 'FATAL'],
  forS: 600,
  remindS: 3_600,
  channels: [
    { id: 'a', name: 'Operators', kind: 'SLACK' },
    { id: 'b', name: 'On call', kind: 'PAGERDUTY' },
  ],
  trouble: null,
  lastJudgedAt: null,
  firing: 0,
  createdAt: '2026-11-01T00:00:00Z',
  createdBy: 'ada',
  editable: true,
}

test('a rule is said in words, with what it holds against the lines, how long, and whom it tells', () => {
  expect(ruleInWords(stored)).toBe(
    'Warning, when more than 10 lines of level Error or Fatal matching `card has expired` of an integration of Order Service in Production came within 5 minutes, and that has lasted 10 minutes. Tells Operators and On call, again every hour while it fires, and says when it ends.',
  )
})

test('a rule of one integration names it, and one that tells nobody says so', () => {
  const draft = { ...withCondition(newDraft(), 'LATENCY'), percentile: 0.99 }
  const names = { project: 'Billing', integration: 'Payments', environment: 'Production', channels: [] }
  expect(inWords(draft, names)).toBe(
    'Warning, when the p99 latency of Billing / Payments in Production is above 1 s over 5 minutes. Tells nobody: it is listed here only.',
  )
  expect(inWords({ ...newDraft(), criticalOnly: true, enabled: false }, { channels: [] })).toBe(
    'Warning, when a runtime in critical environments is offline. Switched off: nothing is judged.',
  )
  expect(inWords(withCondition(newDraft(), 'EXPIRING'), { channels: [] })).toContain('certificate of this server')
})

test('a stored rule that is saved unchanged is sent as it was', () => {
  expect(inputOf(draftOf(stored), 'r')).toEqual({
    id: 'r',
    name: 'Cards are refused',
    condition: 'LOG_PATTERN',
    severity: 'WARNING',
    enabled: true,
    project: 'order-service',
    integration: null,
    environment: 'prod',
    criticalOnly: false,
    threshold: 10,
    percentile: null,
    windowS: 300,
    pattern: 'card has expired',
    levels: ['ERROR', 'FATAL'],
    forS: 600,
    remindS: 3_600,
    channels: ['a', 'b'],
  })
})

test('what another condition has no use for is not sent', () => {
  const draft = withCondition({ ...draftOf(stored), name: ' Off ' }, 'RUNTIME_OFFLINE')
  expect(inputOf(draft, null)).toMatchObject({
    id: null,
    name: 'Off',
    threshold: null,
    percentile: null,
    windowS: null,
    pattern: null,
    levels: null,
  })
})

test('a rule says at its fields what is missing', () => {
  const draft = { ...withCondition(newDraft(), 'LOG_PATTERN'), threshold: '-1' }
  expect(Object.keys(faultsOf(draft))).toEqual(['name', 'threshold', 'pattern'])
  expect(faultsOf({ ...draft, name: 'Lines', threshold: '0', levels: ['FATAL'] })).toEqual({})
})

test('a channel sends what its kind asks for, and nothing where what is stored stays', () => {
  const mail = {
    ...newChannel(),
    name: 'Team',
    kind: 'EMAIL' as const,
    url: 'https://x',
    to: 'a@b.example; c@d.example',
  }
  expect(channelInput(mail, null)).toMatchObject({ url: null, to: ['a@b.example', 'c@d.example'], routingKey: null })
  const kept = newChannel({ name: 'Hook', kind: 'WEBHOOK', to: null })
  expect(channelInput(kept, 'c')).toMatchObject({ id: 'c', url: null, signingSecret: null, to: null })
  expect(channelFaults(kept, false)).toEqual({})
  expect(channelFaults({ ...kept, name: ' ' }, true)).toEqual({
    name: 'Give the channel a name.',
    url: 'Give the URL of the receiver.',
  })
  expect(addresses(' a@b.example,a@b.example\n')).toEqual(['a@b.example'])
})

test('a silence begins now or later, ends after that, and has a reason', () => {
  const draft = { ...newSilence('r', { environment: 'prod' }), reason: ' maintenance ' }
  expect(silenceFaults(draft, NOW)).toEqual({})
  expect(silenceInput(draft, NOW)).toEqual({
    rule: 'r',
    project: null,
    integration: null,
    environment: 'prod',
    reason: 'maintenance',
    from: null,
    to: '2026-11-21T11:00:00.000Z',
  })
  const late = { ...draft, later: true, beginsAt: '2026-11-22T10:00:00Z', lastsS: null, endsAt: '2026-11-22T09:00:00Z' }
  expect(silenceFaults({ ...late, reason: '' }, NOW)).toEqual({
    reason: 'Say why nobody needs to be told.',
    to: 'A silence ends after it begins.',
  })
  expect(silenceFaults({ ...draft, later: true }, NOW)).toEqual({ from: 'Choose an instant.' })
})

test('a silence is kept now, will be, or was', () => {
  const silence = { from: '2026-11-21T09:00:00Z', to: '2026-11-21T11:00:00Z' }
  expect(standing(silence, NOW)).toBe('now')
  expect(standing(silence, NOW - 2 * 3_600_000)).toBe('later')
  expect(standing(silence, NOW + 3_600_000)).toBe('ended')
})
