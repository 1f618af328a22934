import type { ArtifactKind, RuntimeStatus, RuntimeType, Sort, SteerableKind } from '@/api/generated/operations'
import type { AuditOutcome, Permission, Trouble, UserKind, UserState } from '@/api/generated/people'
import type { Severity } from '@/api/generated/telemetry'
import { code, filled, flag, milliseconds, moment, oneOf, type Raw, text, texts } from './address-values'
import {
  ARTIFACT_KINDS,
  ASKS,
  METRIC_ORDERS,
  METRIC_PARTS,
  METRIC_SHARES,
  METRIC_VIEWS,
  OUTCOMES,
  PERMISSIONS,
  RUNTIME_ACTS,
  RUNTIME_GROUPS,
  RUNTIME_SORTS,
  SEVERITIES,
  SORTS,
  SPANS,
  STATUSES,
  STEERABLE_KINDS,
  TROUBLES,
  TYPES,
  USER_KINDS,
  USER_STATES,
} from './choices'

/** What each page keeps in the address; how one value is read lies beside it. */

export type SignInSearch = { to?: string | undefined; problem?: string | undefined }
export type DeviceSearch = { userCode?: string | undefined }
export type ListSearch = {
  search?: string | undefined
  sort?: Sort | undefined
  type?: RuntimeType | undefined
  create?: true | undefined
  edit?: string | undefined
}
export type UsersSearch = {
  search?: string | undefined
  sort?: Sort | undefined
  kind?: UserKind | undefined
  state?: UserState | undefined
  group?: string | undefined
  create?: true | undefined
}
export type RolesSearch = {
  search?: string | undefined
  sort?: Sort | undefined
  create?: true | undefined
  /** The role that a new one begins as a copy of. */
  copy?: string | undefined
}
export type MembersSearch = { search?: string | undefined }
export type PlaceSearch = {
  project?: string | undefined
  integration?: string | undefined
  environment?: string | undefined
}
export type WhoMaySearch = PlaceSearch & { permission?: Permission | undefined; user?: string | undefined }
export type AuditSearch = PlaceSearch & {
  actor?: string | undefined
  action?: string | undefined
  outcome?: AuditOutcome | undefined
  search?: string | undefined
  /** Local instants as the form writes them: 2026-11-21T10:00. */
  from?: string | undefined
  to?: string | undefined
  record?: number | undefined
}
export type EventsSearch = PlaceSearch & {
  kind?: string | undefined
  from?: string | undefined
  to?: string | undefined
}
/** Of requests that were answered so: codes, classes, kinds of errors; `calls`: of calls that were made. */
export type StatusSearch = { status?: string[] | undefined; calls?: true | undefined }
export type SettingsSearch = {
  search?: string | undefined
  /** Only what does not stand at its default. */
  changed?: true | undefined
}
export type LogsSearch = PlaceSearch &
  StatusSearch & {
    /** What a runtime calls itself. */
    runtime?: string | undefined
    level?: Severity | undefined
    search?: string | undefined
    token?: string | undefined
    trace?: string | undefined
    span?: (typeof SPANS)[number] | undefined
    /** Instants with their zone; they win over `span`. */
    from?: string | undefined
    to?: string | undefined
    live?: true | undefined
    /** Attributes, and facts of a line, that stand beside the message. */
    columns?: string[] | undefined
    oldest?: true | undefined
  }
export type AlertsSearch = PlaceSearch & {
  rule?: string | undefined
  /** The alert that is looked at. */
  alert?: string | undefined
  from?: string | undefined
  to?: string | undefined
}
/** `rule` is looked at, `edit` is changed. */
export type AlertRulesSearch = {
  search?: string | undefined
  create?: true | undefined
  rule?: string | undefined
  edit?: string | undefined
}
export type AlertChannelsSearch = { create?: true | undefined; edit?: string | undefined }
export type AlertSilencesSearch = PlaceSearch & {
  rule?: string | undefined
  create?: true | undefined
  ended?: true | undefined
}
export type MetricsSearch = PlaceSearch & {
  /** What a runtime calls itself. */
  runtime?: string | undefined
  service?: string | undefined
  resource?: string | undefined
  /** Requests that are answered, unless named. */
  view?: (typeof METRIC_VIEWS)[number] | undefined
  /** What the charts tell apart. */
  by?: (typeof METRIC_PARTS)[number] | undefined
  /** The percentile that is shown where parts are told apart. */
  share?: (typeof METRIC_SHARES)[number] | undefined
  span?: (typeof SPANS)[number] | undefined
  /** Instants with their zone; they win over `span`. */
  from?: string | undefined
  to?: string | undefined
  /** The begin of the step that is looked at. */
  at?: string | undefined
  /** Of that step the status that is looked at. */
  status?: string | undefined
  /** What that name stands for, where it is no status itself. */
  codes?: string[] | undefined
  /** Statuses are told apart by their class alone. */
  classes?: true | undefined
  order?: (typeof METRIC_ORDERS)[number] | undefined
  /** The least first. */
  up?: true | undefined
  search?: string | undefined
  /** The chart that is shown as a table, too. */
  table?: string | undefined
}
/** `span` is a time, as of the logs. */
export type TracesSearch = PlaceSearch &
  StatusSearch & {
    /** What a runtime calls itself. */
    runtime?: string | undefined
    service?: string | undefined
    operation?: string | undefined
    failed?: true | undefined
    /** Units: ms. */
    slower?: number | undefined
    span?: (typeof SPANS)[number] | undefined
    from?: string | undefined
    to?: string | undefined
  }
/** The span that is looked at. */
export type TraceSearch = { selected?: string | undefined }
export type TryItSearch = {
  environment?: string | undefined
  /** The runtime's id. */
  runtime?: string | undefined
  port?: number | undefined
  /** Method and path; none: a request of one's own. */
  operation?: string | undefined
}
export type MergedSearch = {
  environment?: string | undefined
  kind?: ArtifactKind | undefined
  search?: string | undefined
  differing?: true | undefined
  failed?: true | undefined
}
export type DriftSearch = {
  project?: string | undefined
  environment?: string | undefined
  trouble?: Trouble | undefined
}
export type RuntimeSearch = {
  /** What is to be confirmed there. */
  act?: (typeof RUNTIME_ACTS)[number] | undefined
  filter?: string | undefined
  services?: string | undefined
  artifacts?: string | undefined
  kind?: ArtifactKind | undefined
  ask?: (typeof ASKS)[number] | undefined
  /** Of the answer: the folder, resource or file that is looked at. */
  path?: string | undefined
}
export type SecretsSearch = { environment?: string | undefined; secret?: string | undefined }
export type SteeringSearch = {
  environment?: string | undefined
  kind?: SteerableKind | undefined
  search?: string | undefined
  differing?: true | undefined
}
/** `add` is the environment that Add Runtime starts with, or empty for none. */
export type RuntimesSearch = {
  environment?: string | undefined
  add?: string | undefined
  refusals?: true | undefined
  status?: RuntimeStatus | undefined
  type?: RuntimeType | undefined
  search?: string | undefined
  /** By environment unless told. */
  group?: (typeof RUNTIME_GROUPS)[number] | undefined
  /** By name unless told. */
  sort?: (typeof RUNTIME_SORTS)[number] | undefined
}

export const signIn = (raw: Raw): SignInSearch => ({ to: filled(raw, 'to'), problem: filled(raw, 'problem') })
export const device = (raw: Raw): DeviceSearch => ({ userCode: filled(raw, 'userCode') })
export const list = (raw: Raw): ListSearch => ({
  search: filled(raw, 'search'),
  sort: oneOf(raw, 'sort', SORTS),
  type: oneOf(raw, 'type', TYPES),
  create: flag(raw, 'create'),
  edit: filled(raw, 'edit'),
})
export const users = (raw: Raw): UsersSearch => ({
  search: filled(raw, 'search'),
  sort: oneOf(raw, 'sort', SORTS),
  kind: oneOf(raw, 'kind', USER_KINDS),
  state: oneOf(raw, 'state', USER_STATES),
  group: filled(raw, 'group'),
  create: flag(raw, 'create'),
})
export const roles = (raw: Raw): RolesSearch => ({
  search: filled(raw, 'search'),
  sort: oneOf(raw, 'sort', SORTS),
  create: flag(raw, 'create'),
  copy: filled(raw, 'copy'),
})
export const members = (raw: Raw): MembersSearch => ({ search: filled(raw, 'search') })
const place = (raw: Raw): PlaceSearch => {
  const project = filled(raw, 'project')
  return { project, integration: project && filled(raw, 'integration'), environment: filled(raw, 'environment') }
}
export const whoMay = (raw: Raw): WhoMaySearch => ({
  ...place(raw),
  permission: oneOf(raw, 'permission', PERMISSIONS),
  user: filled(raw, 'user'),
})
export const audit = (raw: Raw): AuditSearch => ({
  ...place(raw),
  actor: filled(raw, 'actor'),
  action: filled(raw, 'action'),
  outcome: oneOf(raw, 'outcome', OUTCOMES),
  search: filled(raw, 'search'),
  from: moment(raw, 'from'),
  to: moment(raw, 'to'),
  record: Number.isInteger(Number(filled(raw, 'record'))) ? Number(raw.record) || undefined : undefined,
})
export const events = (raw: Raw): EventsSearch => ({
  ...place(raw),
  kind: filled(raw, 'kind'),
  from: moment(raw, 'from'),
  to: moment(raw, 'to'),
})
const statuses = (raw: Raw): StatusSearch => {
  const status = texts(raw, 'status')
  return { status, calls: status && flag(raw, 'calls') }
}
/** More columns leave no room for the message. */
export const LOG_COLUMNS_MAX = 5
export const settings = (raw: Raw): SettingsSearch => ({ search: filled(raw, 'search'), changed: flag(raw, 'changed') })
export const logs = (raw: Raw): LogsSearch => ({
  ...place(raw),
  runtime: filled(raw, 'runtime'),
  level: oneOf(raw, 'level', SEVERITIES),
  search: filled(raw, 'search'),
  token: filled(raw, 'token'),
  trace: filled(raw, 'trace'),
  ...statuses(raw),
  span: oneOf(raw, 'span', SPANS),
  from: moment(raw, 'from'),
  to: moment(raw, 'to'),
  live: flag(raw, 'live'),
  columns: texts(raw, 'columns')?.slice(0, LOG_COLUMNS_MAX),
  oldest: flag(raw, 'oldest'),
})
export const alerts = (raw: Raw): AlertsSearch => ({
  ...place(raw),
  rule: filled(raw, 'rule'),
  alert: filled(raw, 'alert'),
  from: moment(raw, 'from'),
  to: moment(raw, 'to'),
})
export const alertRules = (raw: Raw): AlertRulesSearch => ({
  search: filled(raw, 'search'),
  create: flag(raw, 'create'),
  rule: filled(raw, 'rule'),
  edit: filled(raw, 'edit'),
})
export const alertChannels = (raw: Raw): AlertChannelsSearch => ({
  create: flag(raw, 'create'),
  edit: filled(raw, 'edit'),
})
export const alertSilences = (raw: Raw): AlertSilencesSearch => ({
  ...place(raw),
  rule: filled(raw, 'rule'),
  create: flag(raw, 'create'),
  ended: flag(raw, 'ended'),
})
export const metrics = (raw: Raw): MetricsSearch => ({
  ...place(raw),
  runtime: filled(raw, 'runtime'),
  service: filled(raw, 'service'),
  resource: filled(raw, 'resource'),
  view: oneOf(raw, 'view', METRIC_VIEWS),
  by: oneOf(raw, 'by', METRIC_PARTS),
  share: oneOf(raw, 'share', METRIC_SHARES),
  span: oneOf(raw, 'span', SPANS),
  from: moment(raw, 'from'),
  to: moment(raw, 'to'),
  at: moment(raw, 'at'),
  status: code(raw, 'status'),
  codes: texts(raw, 'codes'),
  classes: flag(raw, 'classes'),
  order: oneOf(raw, 'order', METRIC_ORDERS),
  up: flag(raw, 'up'),
  search: filled(raw, 'search'),
  table: filled(raw, 'table'),
})
export const traces = (raw: Raw): TracesSearch => ({
  ...place(raw),
  runtime: filled(raw, 'runtime'),
  service: filled(raw, 'service'),
  operation: filled(raw, 'operation'),
  failed: flag(raw, 'failed'),
  slower: milliseconds(raw, 'slower'),
  ...statuses(raw),
  span: oneOf(raw, 'span', SPANS),
  from: moment(raw, 'from'),
  to: moment(raw, 'to'),
})
export const trace = (raw: Raw): TraceSearch => ({ selected: filled(raw, 'selected') })
export const tryIt = (raw: Raw): TryItSearch => ({
  environment: filled(raw, 'environment'),
  runtime: filled(raw, 'runtime'),
  port: Number(text(raw, 'port')) || undefined,
  operation: filled(raw, 'operation'),
})
export const merged = (raw: Raw): MergedSearch => ({
  environment: filled(raw, 'environment'),
  kind: oneOf(raw, 'kind', ARTIFACT_KINDS),
  search: filled(raw, 'search'),
  differing: flag(raw, 'differing'),
  failed: flag(raw, 'failed'),
})
export const drift = (raw: Raw): DriftSearch => ({
  project: filled(raw, 'project'),
  environment: filled(raw, 'environment'),
  trouble: oneOf(raw, 'trouble', TROUBLES),
})
export const runtime = (raw: Raw): RuntimeSearch => ({
  act: oneOf(raw, 'act', RUNTIME_ACTS),
  filter: filled(raw, 'filter'),
  services: filled(raw, 'services'),
  artifacts: filled(raw, 'artifacts'),
  kind: oneOf(raw, 'kind', ARTIFACT_KINDS),
  ask: oneOf(raw, 'ask', ASKS),
  path: filled(raw, 'path'),
})
export const secrets = (raw: Raw): SecretsSearch => ({
  environment: filled(raw, 'environment'),
  secret: filled(raw, 'secret'),
})
export const steering = (raw: Raw): SteeringSearch => ({
  environment: filled(raw, 'environment'),
  kind: oneOf(raw, 'kind', STEERABLE_KINDS),
  search: filled(raw, 'search'),
  differing: flag(raw, 'differing'),
})
export const runtimes = (raw: Raw): RuntimesSearch => ({
  environment: filled(raw, 'environment'),
  add: text(raw, 'add'),
  refusals: flag(raw, 'refusals'),
  status: oneOf(raw, 'status', STATUSES),
  type: oneOf(raw, 'type', TYPES),
  search: filled(raw, 'search'),
  group: oneOf(raw, 'group', RUNTIME_GROUPS),
  sort: oneOf(raw, 'sort', RUNTIME_SORTS),
})
