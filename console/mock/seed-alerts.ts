import type * as api from '../src/api/generated/schema'
import type { AlertRecord } from './alerts'
import type { Scope } from './people'

const MINUTE = 60
const HOUR = 3_600
const DAY = 86_400
const iso = (offsetS: number) => new Date(Date.now() + offsetS * 1_000).toISOString()

export type RuleRecord = Omit<
  api.AlertRule,
  'project' | 'integration' | 'environment' | 'channels' | 'firing' | 'editable' | 'lastJudgedAt'
> & { scope: Scope; channels: string[] }
/** `broken` is why nothing arrives. */
export type ChannelRecord = api.AlertChannel & { broken: string | null }
export type SilenceRecord = Omit<api.AlertSilence, 'rule' | 'project' | 'integration' | 'environment'> & {
  rule: string | null
  scope: Scope
}

const FULL = 'mail.acme.example answered 552: the mailbox is full.'
const REFUSED = 'tickets.acme.example answered 503.'

const RULE: Omit<RuleRecord, 'id' | 'name' | 'condition'> = {
  severity: 'WARNING',
  enabled: true,
  builtIn: false,
  scope: {},
  criticalOnly: false,
  threshold: null,
  percentile: null,
  windowS: 300,
  pattern: null,
  levels: null,
  forS: 0,
  remindS: null,
  channels: [],
  trouble: null,
  createdAt: iso(-40 * DAY),
  createdBy: 'ada',
}

const RULES: (Pick<RuleRecord, 'id' | 'name' | 'condition'> & Partial<RuleRecord>)[] = [
  {
    id: 'ru-offline',
    name: 'A production runtime is offline',
    condition: 'RUNTIME_OFFLINE',
    severity: 'CRITICAL',
    scope: { environment: 'prod' },
    remindS: HOUR,
    channels: ['ch-oncall', 'ch-ops'],
  },
  {
    id: 'ru-errors',
    name: 'Orders fail',
    condition: 'ERROR_RATE',
    scope: { project: 'order-service' },
    threshold: 0.05,
    forS: 5 * MINUTE,
    channels: ['ch-ops', 'ch-orders'],
  },
  {
    id: 'ru-slow',
    name: 'Payments are slow',
    condition: 'LATENCY',
    scope: { project: 'billing', integration: 'payment-gateway', environment: 'prod' },
    threshold: 1.5,
    percentile: 0.99,
    channels: ['ch-ops'],
  },
  {
    id: 'ru-secret',
    name: 'A secret or certificate ends soon',
    condition: 'EXPIRING',
    severity: 'INFO',
    threshold: 30,
  },
  {
    id: 'ru-cards',
    name: 'Cards are refused',
    condition: 'LOG_PATTERN',
    scope: { project: 'order-service', environment: 'prod' },
    threshold: 10,
    pattern: 'card has (expired|been blocked)',
    levels: ['ERROR', 'FATAL'],
    forS: 10 * MINUTE,
    channels: ['ch-tickets'],
  },
  {
    id: 'ru-traffic',
    name: 'No invoices are asked for',
    condition: 'NO_TRAFFIC',
    scope: { project: 'billing', environment: 'prod' },
    windowS: 15 * MINUTE,
    channels: ['ch-ops'],
    trouble: 'No telemetry came for 900 s from 1 integration(s) that run: nobody can say what they are asked.',
  },
  {
    id: 'ru-lost',
    name: 'Telemetry is lost',
    condition: 'TELEMETRY_DROPPED',
    severity: 'INFO',
    enabled: false,
  },
]

const CHANNEL = { createdAt: iso(-40 * DAY), createdBy: 'ada', to: null, lastFailedAt: null, lastFailure: null }
const CHANNELS: () => ChannelRecord[] = () => [
  {
    ...CHANNEL,
    id: 'ch-oncall',
    name: 'On call',
    kind: 'PAGERDUTY',
    target: 'PagerDuty',
    lastSentAt: iso(-22 * MINUTE),
    broken: null,
  },
  {
    ...CHANNEL,
    id: 'ch-ops',
    name: 'Operators',
    kind: 'SLACK',
    target: 'hooks.slack.com',
    lastSentAt: iso(-14 * MINUTE),
    lastFailedAt: iso(-3 * DAY),
    lastFailure: 'hooks.slack.com did not answer within 10 s.',
    broken: null,
  },
  {
    ...CHANNEL,
    id: 'ch-orders',
    name: 'Order team',
    kind: 'EMAIL',
    to: ['orders@acme.example'],
    target: 'orders@acme.example',
    lastSentAt: iso(-2 * DAY),
    lastFailedAt: iso(-2 * MINUTE),
    lastFailure: FULL,
    broken: FULL,
  },
  {
    ...CHANNEL,
    id: 'ch-tickets',
    name: 'Tickets',
    kind: 'WEBHOOK',
    target: 'tickets.acme.example',
    lastSentAt: null,
    lastFailedAt: iso(-5 * HOUR),
    lastFailure: REFUSED,
    broken: null,
  },
]

/** What an alert is unless told. */
export const FOUND: Omit<AlertRecord, 'id' | 'rule' | 'name' | 'severity' | 'message' | 'scope' | 'since'> = {
  state: 'FIRING',
  runtime: null,
  value: null,
  firedAt: null,
  resolvedAt: null,
  notifications: [],
}

function told(
  id: string,
  channel: ChannelRecord | undefined,
  agoS: number,
  more: Partial<api.AlertNotification> = {},
): api.AlertNotification {
  return {
    id,
    channel: channel ?? null,
    kind: 'firing',
    state: 'SENT',
    attempts: 1,
    reason: null,
    createdAt: iso(-agoS - 2),
    sentAt: more.state && more.state !== 'SENT' ? null : iso(-agoS),
    nextAttemptAt: null,
    ...more,
  }
}

type Seen = [rule: string, scope: Scope, message: string, sinceS: number, more: Partial<AlertRecord>]

function found(channels: ChannelRecord[]): AlertRecord[] {
  const [oncall, ops, orders, tickets] = channels
  const production = { environment: 'prod' }
  const silent = (name: string) =>
    `The runtime ${name} is offline: no heartbeat since; one is expected every 10 s, offline after 30 s of silence.`
  const seen: Seen[] = [
    [
      'ru-errors',
      { project: 'order-service', integration: 'order-create', ...production },
      '12.4 % of 2,310 requests failed over 300 s.',
      14 * MINUTE,
      {
        value: 0.124,
        firedAt: iso(-9 * MINUTE),
        notifications: [
          told('no-1', ops, 9 * MINUTE),
          told('no-2', orders, 2 * MINUTE, { state: 'WAITING', attempts: 3, reason: FULL, nextAttemptAt: iso(225) }),
        ],
      },
    ],
    [
      'ru-offline',
      { project: 'order-service', integration: 'order-status', ...production },
      silent('order-status-prod-3'),
      82 * MINUTE,
      {
        runtime: 'rt-order-status-prod-3',
        firedAt: iso(-82 * MINUTE),
        notifications: [
          told('no-3', oncall, 22 * MINUTE, { kind: 'reminder' }),
          told('no-4', ops, 22 * MINUTE, { kind: 'reminder' }),
          told('no-5', oncall, 82 * MINUTE),
          told('no-6', ops, 82 * MINUTE, { attempts: 2 }),
        ],
      },
    ],
    [
      'ru-offline',
      { project: 'warehouse', integration: 'edi-inbound', ...production },
      silent('edi-inbound-prod-2'),
      50 * MINUTE,
      { runtime: 'rt-edi-inbound-prod-2', firedAt: iso(-50 * MINUTE) },
    ],
    [
      'ru-secret',
      { project: 'billing', integration: 'dunning', environment: 'dev' },
      'The secret k7m2q9xd ends in 6 days.',
      2 * DAY,
      { value: 6.2, firedAt: iso(-2 * DAY) },
    ],
    [
      'ru-cards',
      { project: 'order-service', integration: 'order-create', ...production },
      '14 lines matched within 300 s.',
      4 * MINUTE,
      { state: 'PENDING', value: 14 },
    ],
    [
      'ru-offline',
      { project: 'billing', integration: 'dunning', ...production },
      'The runtime dunning-prod-1 runs again.',
      5 * HOUR,
      {
        state: 'RESOLVED',
        runtime: 'rt-dunning-prod-1',
        firedAt: iso(-5 * HOUR),
        resolvedAt: iso(-4.6 * HOUR),
        notifications: [
          told('no-7', oncall, 4.6 * HOUR, { kind: 'resolved' }),
          told('no-8', oncall, 5 * HOUR),
          told('no-9', tickets, 4.7 * HOUR, { state: 'FAILED', attempts: 5, reason: REFUSED }),
        ],
      },
    ],
    ...Array.from({ length: 30 }, (_, index): Seen => {
      const at = (index + 8) * 5 * HOUR
      return [
        'ru-errors',
        { project: 'order-service', integration: index % 2 ? 'order-create' : 'order-status', ...production },
        `${5 + (index % 7)} % of ${400 + index * 13} requests failed over 300 s.`,
        at,
        {
          state: 'RESOLVED',
          value: 0.01 * (5 + (index % 7)),
          firedAt: iso(-at + 5 * MINUTE),
          resolvedAt: iso(-at + (12 + index) * MINUTE),
          notifications: [told(`no-${index}-a`, ops, at - 5 * MINUTE)],
        },
      ]
    }),
  ]
  return seen.map(([rule, scope, message, sinceS, more], index) => {
    const named = RULES.find(({ id }) => id === rule)
    return {
      ...FOUND,
      id: `al-${index + 1}`,
      rule,
      name: named?.name ?? rule,
      severity: named?.severity ?? 'WARNING',
      scope,
      message,
      since: iso(-sinceS),
      ...more,
    }
  })
}

export function seedAlerts() {
  const channels = CHANNELS()
  const silences: SilenceRecord[] = [
    {
      id: 'si-1',
      rule: null,
      scope: { project: 'warehouse', integration: 'edi-inbound' },
      reason: 'The partner moves to another data centre',
      from: iso(-2 * HOUR),
      to: iso(2 * HOUR),
      createdBy: 'ada',
    },
    {
      id: 'si-2',
      rule: 'ru-slow',
      scope: { project: 'billing' },
      reason: 'Month-end closing',
      from: iso(3 * DAY),
      to: iso(4 * DAY),
      createdBy: 'grace',
    },
    {
      id: 'si-3',
      rule: null,
      scope: { environment: 'dev' },
      reason: 'Load test',
      from: iso(-3 * DAY),
      to: iso(-2.5 * DAY),
      createdBy: 'grace',
    },
  ]
  const rules: RuleRecord[] = RULES.map((each) => ({ ...RULE, ...each }))
  return { rules, channels, silences, found: found(channels) }
}
