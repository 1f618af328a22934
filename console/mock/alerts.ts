import type * as api from '../src/api/generated/schema'
import { connection, type Db, iso, type PageArguments } from './db'
import { refs, type Scope } from './people'
import { refuse } from './refuse'
import { type ChannelRecord, FOUND, type RuleRecord, type SilenceRecord, seedAlerts } from './seed-alerts'

const TEST_TAKES_MS = 150
const MADE = '3GqE0yq1mVQx7b2nUuK1Zs8dJf5rTwHc9aLpXoYiNkM'

type Filter = api.AlertFilter | null | undefined
/** What the mock stores of an alert; whether it is silenced is told when it is read. */
export type AlertRecord = Omit<
  api.Alert,
  'rule' | 'severity' | 'project' | 'integration' | 'environment' | 'runtime' | 'silenced'
> & { rule: string; severity: api.AlertSeverity; name: string; scope: Scope; runtime: string | null }

/** Whether a scope covers all of a place. */
const covers = (scope: Scope, place: Scope) =>
  (['project', 'integration', 'environment'] as const).every((each) => !scope[each] || scope[each] === place[each])
const scopeOf = ({ project, integration, environment }: Scope): Scope => ({ project, integration, environment })

/** Rules, what they found, silences and channels. */
export class Alerts {
  readonly rules: RuleRecord[]
  readonly channels: ChannelRecord[]
  readonly silences: SilenceRecord[]
  /** Newest first. */
  readonly found: AlertRecord[]
  private last = 100

  constructor() {
    const { rules, channels, silences, found } = seedAlerts()
    this.rules = rules
    this.channels = channels
    this.silences = silences
    this.found = found
  }

  id(kind: string): string {
    this.last += 1
    return `${kind}-${this.last}`
  }

  /** Where a change of something that is named by its id happens. */
  placeOf(change: string, id: string | null | undefined): Scope | undefined {
    if (change === 'deleteAlertRule') return this.rules.find((each) => each.id === id)?.scope
    if (change === 'endAlertSilence') return this.silences.find((each) => each.id === id)?.scope
    return undefined
  }

  silenced({ rule, scope, state }: AlertRecord): boolean {
    const now = iso(0)
    return (
      state !== 'RESOLVED' &&
      this.silences.some(
        (each) => each.from <= now && each.to > now && (!each.rule || each.rule === rule) && covers(each.scope, scope),
      )
    )
  }

  /** Lets a rule find something more. */
  fire(message: string, rule = this.rules[0]): void {
    if (!rule) return
    this.found.unshift({
      ...FOUND,
      id: this.id('al'),
      rule: rule.id,
      name: rule.name,
      severity: rule.severity,
      scope: { project: 'billing', integration: 'dunning', environment: 'prod' },
      message,
      since: iso(0),
      firedAt: iso(0),
    })
  }

  /** What a rule found ends without a word. */
  quieten(rule: string): void {
    for (const each of this.found)
      if (each.rule === rule && each.state !== 'RESOLVED')
        Object.assign(each, { state: 'RESOLVED', resolvedAt: iso(0) })
  }
}

type Spanned = { filter?: Filter } & PageArguments

export function alertsRoot(db: Db) {
  const { alerts, people } = db
  const sees = (scope: Scope) => people.somewhere('INTEGRATION_MGT_VIEW', scope)
  const channelRef = (id: string) => alerts.channels.find((each) => each.id === id)
  const rule = (record: RuleRecord) => ({
    ...record,
    ...refs(db, record.scope),
    channels: record.channels.map(channelRef).filter(Boolean),
    firing: alerts.found.filter((each) => each.rule === record.id && each.state === 'FIRING' && seesAlert(each)).length,
    lastJudgedAt: record.enabled ? iso(-3) : null,
    editable: people.holds('ALERT_MGT_MANAGE', record.scope),
  })
  const seesAlert = ({ scope }: AlertRecord) => people.holds('INTEGRATION_MGT_VIEW', scope)
  const alert = (record: AlertRecord) => {
    const runtime = db.runtimes.find((each) => each.id === record.runtime)
    return {
      ...record,
      ...refs(db, record.scope),
      rule: { id: record.rule, name: record.name },
      runtime: runtime ?? null,
      silenced: alerts.silenced(record),
    }
  }
  const silence = (record: SilenceRecord) => ({
    ...record,
    ...refs(db, record.scope),
    rule: alerts.rules.find((each) => each.id === record.rule) ?? null,
  })
  const wanted = (filter: Filter) => (record: AlertRecord) =>
    seesAlert(record) &&
    (!filter?.states?.length || filter.states.includes(record.state)) &&
    (!filter?.rule || record.rule === filter.rule) &&
    covers(scopeOf(filter ?? {}), record.scope) &&
    (!filter?.from || (record.resolvedAt ?? iso(0)) >= filter.from) &&
    (!filter?.to || record.since < filter.to)
  return {
    alerts: ({ filter, ...page }: Spanned) => connection(alerts.found.filter(wanted(filter)).map(alert), page),
    alertRules: ({ search, ...page }: { search?: string | null } & PageArguments) =>
      connection(
        alerts.rules
          .filter((each) => sees(each.scope) && each.name.toLowerCase().includes((search ?? '').toLowerCase()))
          .sort((a, b) => a.name.localeCompare(b.name))
          .map(rule),
        page,
      ),
    alertRule: ({ id }: { id: string }) =>
      alerts.rules.filter((each) => each.id === id && sees(each.scope)).map(rule)[0] ?? null,
    alertChannels: (page: PageArguments) =>
      connection(
        alerts.channels.toSorted((a, b) => a.name.localeCompare(b.name)),
        page,
      ),
    alertSilences: ({ includeEnded, ...page }: { includeEnded?: boolean | null } & PageArguments) =>
      connection(
        alerts.silences
          .filter((each) => sees(each.scope) && (includeEnded || each.to > iso(0)))
          .sort((a, b) => (a.from < b.from ? 1 : -1))
          .map(silence),
        page,
      ),
    ...changes(db, { rule, silence }),
  }
}

type Views = { rule: (record: RuleRecord) => unknown; silence: (record: SilenceRecord) => unknown }

function changes(db: Db, views: Views) {
  const { alerts, people } = db
  const known = <Record extends { id: string }>(all: Record[], id: string | null | undefined, what: string): Record =>
    all.find((each) => each.id === id) ?? refuse('NOT_FOUND', `There is no such ${what}.`, { field: 'id' })
  const drop = <Record extends { id: string }>(all: Record[], record: Record) => all.splice(all.indexOf(record), 1)
  return {
    saveAlertRule: ({ input }: { input: api.AlertRuleInput }) => {
      const before = input.id ? known(alerts.rules, input.id, 'alert rule') : undefined
      if (before && !people.holds('ALERT_MGT_MANAGE', before.scope)) refuse('NOT_PERMITTED', 'You may not change it.')
      checkRule(input)
      const made = ruleOf(input, before, people.viewer, before?.id ?? alerts.id('ru'))
      if (before) {
        const moved = before.condition !== made.condition || JSON.stringify(before.scope) !== JSON.stringify(made.scope)
        if (moved || !made.enabled) alerts.quieten(before.id)
        Object.assign(before, made)
      } else alerts.rules.push(made)
      return views.rule(made)
    },
    deleteAlertRule: ({ id }: { id: string }) => {
      const record = known(alerts.rules, id, 'alert rule')
      const shown = views.rule(record)
      alerts.quieten(id)
      drop(alerts.rules, record)
      return shown
    },
    saveAlertChannel: ({ input }: { input: api.AlertChannelInput }) => {
      const before = input.id ? known(alerts.channels, input.id, 'channel') : undefined
      const channel = channelOf(input, before, people.viewer, before?.id ?? alerts.id('ch'))
      if (before) Object.assign(before, channel)
      else alerts.channels.push(channel)
      const signingSecret = !before && input.kind === 'WEBHOOK' && !input.signingSecret ? MADE : null
      return { channel, signingSecret }
    },
    deleteAlertChannel: ({ id }: { id: string }) => {
      const record = known(alerts.channels, id, 'channel')
      const telling = alerts.rules.filter((each) => each.channels.includes(id)).map(({ name }) => name)
      if (telling.length > 0)
        refuse('CONFLICT', `Rules send to ${record.name}: ${telling.slice(0, 3).join(', ')}.`, {
          field: 'id',
          fix: 'Take the channel out of them first.',
        })
      drop(alerts.channels, record)
      return record
    },
    testAlertChannel: async ({ id }: { id: string }) => {
      const record = known(alerts.channels, id, 'channel')
      await new Promise((done) => setTimeout(done, TEST_TAKES_MS))
      const reason = record.broken
      Object.assign(record, reason ? { lastFailedAt: iso(0), lastFailure: reason } : { lastSentAt: iso(0) })
      return {
        id: alerts.id('no'),
        channel: record,
        kind: 'test',
        state: reason ? 'FAILED' : 'SENT',
        attempts: 1,
        reason,
        createdAt: iso(0),
        sentAt: reason ? null : iso(0),
        nextAttemptAt: null,
      }
    },
    silenceAlerts: ({ input }: { input: api.AlertSilenceInput }) => {
      if (!input.reason.trim()) refuse('INVALID', 'The reason has 1 to 500 printable characters.', { field: 'reason' })
      const from = input.from ?? iso(0)
      if (input.to <= from) refuse('INVALID', 'A silence ends after it begins, and within 366 days.', { field: 'to' })
      const { rule, reason, to } = input
      const made = { id: alerts.id('si'), rule: rule ?? null, scope: scopeOf(input), reason, from, to }
      const record: SilenceRecord = { ...made, createdBy: people.viewer }
      alerts.silences.push(record)
      return views.silence(record)
    },
    endAlertSilence: ({ id }: { id: string }) => {
      const record = known(alerts.silences, id, 'silence')
      if (record.to > iso(0)) record.to = iso(0)
      return views.silence(record)
    },
  }
}

function checkRule(input: api.AlertRuleInput): void {
  if (!input.name.trim())
    refuse('INVALID', 'The name of an alert rule has 1 to 100 printable characters.', { field: 'name' })
  if (input.condition !== 'LOG_PATTERN' || !input.pattern) return
  try {
    new RegExp(input.pattern)
  } catch {
    refuse('INVALID', `'${input.pattern}' is not a regular expression that the store understands.`, {
      field: 'pattern',
    })
  }
}

function ruleOf(input: api.AlertRuleInput, before: RuleRecord | undefined, by: string, id: string): RuleRecord {
  return {
    builtIn: before?.builtIn ?? false,
    id,
    name: input.name.trim(),
    condition: input.condition,
    severity: input.severity ?? 'WARNING',
    enabled: input.enabled ?? true,
    scope: scopeOf(input),
    criticalOnly: input.criticalOnly ?? false,
    threshold: input.threshold ?? null,
    percentile: input.percentile ?? null,
    windowS: input.windowS ?? 300,
    pattern: input.pattern ?? null,
    levels: input.levels ?? null,
    forS: input.forS ?? 0,
    remindS: input.remindS ?? null,
    channels: input.channels,
    trouble: null,
    createdAt: before?.createdAt ?? iso(0),
    createdBy: before?.createdBy ?? by,
  }
}

function channelOf(
  input: api.AlertChannelInput,
  before: ChannelRecord | undefined,
  by: string,
  id: string,
): ChannelRecord {
  if (input.url && !/^https:\/\/[^/\s]+/.test(input.url))
    refuse('INVALID', 'Notices are sent over HTTPS; plain HTTP only to loopback.', {
      field: 'url',
      fix: 'Write https://host/path.',
    })
  const wrong = input.to?.find((each) => !/^\S+@\S+\.\S+$/.test(each))
  if (wrong) refuse('INVALID', `'${wrong}' is not an e-mail address.`, { field: 'to' })
  if (input.kind === 'PAGERDUTY' && input.routingKey && !/^\w{32}$/.test(input.routingKey))
    refuse('INVALID', 'This is not the routing key of an Events API v2 integration.', { field: 'routingKey' })
  const target = input.url ? new URL(input.url).host : input.to?.join(', ')
  return {
    id,
    name: input.name.trim(),
    kind: input.kind,
    to: input.to ?? before?.to ?? null,
    target: target ?? before?.target ?? 'PagerDuty',
    createdAt: before?.createdAt ?? iso(0),
    createdBy: before?.createdBy ?? by,
    lastSentAt: before?.lastSentAt ?? null,
    lastFailedAt: before?.lastFailedAt ?? null,
    lastFailure: before?.lastFailure ?? null,
    // A channel that is given another receiver is mended.
    broken: input.url || input.to ? null : (before?.broken ?? null),
  }
}
