import { linkOptions } from '@tanstack/react-router'
import type {
  AlertRulesSearch,
  AlertSilencesSearch,
  AlertsSearch,
  AuditSearch,
  DriftSearch,
  EventsSearch,
  LogsSearch,
  MergedSearch,
  MetricsSearch,
  RuntimeSearch,
  RuntimesSearch,
  SettingsSearch,
  SteeringSearch,
  TraceSearch,
  TracesSearch,
  TryItSearch,
} from './search'

/** Every address of the console; nothing else writes one. */
export const PATH = {
  signIn: '/sign-in',
  password: '/password',
  device: '/device',
  profile: '/profile',
  users: '/access/users',
  user: '/access/users/$userId',
  groups: '/access/groups',
  group: '/access/groups/$groupId',
  roles: '/access/roles',
  role: '/access/roles/$roleId',
  sso: '/access/sso',
  whoMay: '/access/who-may',
  audit: '/audit',
  about: '/about',
  settings: '/settings',
  events: '/events',
  logs: '/logs',
  traces: '/traces',
  traceMap: '/traces/map',
  trace: '/traces/$traceId',
  metrics: '/insights',
  alerts: '/alerts',
  alertRules: '/alerts/rules',
  alertChannels: '/alerts/channels',
  alertSilences: '/alerts/silences',
  home: '/',
  drift: '/drift',
  runtimes: '/runtimes',
  runtime: '/runtimes/$runtimeId',
  projects: '/projects',
  project: '/projects/$project',
  projectRuntimes: '/projects/$project/runtimes',
  integration: '/projects/$project/integrations/$integration',
  integrationRuntimes: '/projects/$project/integrations/$integration/runtimes',
  integrationSteering: '/projects/$project/integrations/$integration/steering',
  integrationSecrets: '/projects/$project/integrations/$integration/secrets',
  integrationArtifacts: '/projects/$project/integrations/$integration/artifacts',
  integrationEvents: '/projects/$project/integrations/$integration/events',
  integrationLogs: '/projects/$project/integrations/$integration/logs',
  integrationMetrics: '/projects/$project/integrations/$integration/metrics',
  integrationTraces: '/projects/$project/integrations/$integration/traces',
  integrationTraceMap: '/projects/$project/integrations/$integration/traces/map',
  integrationTryIt: '/projects/$project/integrations/$integration/try-it',
  runtimeEvents: '/runtimes/$runtimeId/events',
  environments: '/environments',
  secrets: '/secrets',
  anywhere: '$',
} as const

/** Addresses of the API, on the same origin. */
export const API = {
  graphql: '/graphql',
  signIn: '/auth/sign-in',
  signOut: '/auth/sign-out',
  refresh: '/auth/refresh',
  session: '/auth/session',
  methods: '/auth/methods',
  password: '/auth/password',
  oidcStart: '/auth/oidc/start',
  auditExport: '/audit/export',
  logs: '/api/v1/logs',
  licences: '/licences.json',
  tryIt: '/api/try-it',
} as const

export const to = {
  home: () => linkOptions({ to: PATH.home }),
  runtimes: (environment?: string, status?: RuntimesSearch['status']) =>
    linkOptions({ to: PATH.runtimes, search: { ...(environment && { environment }), ...(status && { status }) } }),
  addRuntime: () => linkOptions({ to: PATH.runtimes, search: { add: '' } }),
  refusals: () => linkOptions({ to: PATH.runtimes, search: { refusals: true } }),
  runtime: (runtimeId: string, search: RuntimeSearch = {}) =>
    linkOptions({ to: PATH.runtime, params: { runtimeId }, search }),
  projects: () => linkOptions({ to: PATH.projects }),
  createProject: () => linkOptions({ to: PATH.projects, search: { create: true } }),
  project: (project: string) => linkOptions({ to: PATH.project, params: { project } }),
  projectRuntimes: (project: string, search: RuntimesSearch = {}) =>
    linkOptions({ to: PATH.projectRuntimes, params: { project }, search }),
  integration: (project: string, integration: string) =>
    linkOptions({ to: PATH.integration, params: { project, integration } }),
  integrationRuntimes: (project: string, integration: string, search: RuntimesSearch = {}) =>
    linkOptions({ to: PATH.integrationRuntimes, params: { project, integration }, search }),
  steering: (project: string, integration: string, search: SteeringSearch = {}) =>
    linkOptions({ to: PATH.integrationSteering, params: { project, integration }, search }),
  integrationSecrets: (project: string, integration: string) =>
    linkOptions({ to: PATH.integrationSecrets, params: { project, integration } }),
  environments: () => linkOptions({ to: PATH.environments }),
  createEnvironment: () => linkOptions({ to: PATH.environments, search: { create: true } }),
  secrets: () => linkOptions({ to: PATH.secrets }),
  secret: (secret: string) => linkOptions({ to: PATH.secrets, search: { secret } }),
  integrationArtifacts: (project: string, integration: string, search: MergedSearch = {}) =>
    linkOptions({ to: PATH.integrationArtifacts, params: { project, integration }, search }),
  integrationEvents: (project: string, integration: string) =>
    linkOptions({ to: PATH.integrationEvents, params: { project, integration } }),
  runtimeEvents: (runtimeId: string) => linkOptions({ to: PATH.runtimeEvents, params: { runtimeId } }),
  tryIt: (project: string, integration: string, search: TryItSearch = {}) =>
    linkOptions({ to: PATH.integrationTryIt, params: { project, integration }, search }),
  profile: () => linkOptions({ to: PATH.profile }),
  users: () => linkOptions({ to: PATH.users }),
  user: (userId: string) => linkOptions({ to: PATH.user, params: { userId } }),
  groups: () => linkOptions({ to: PATH.groups }),
  group: (groupId: string) => linkOptions({ to: PATH.group, params: { groupId } }),
  roles: () => linkOptions({ to: PATH.roles }),
  role: (roleId: string) => linkOptions({ to: PATH.role, params: { roleId } }),
  newRole: (copy: string) => linkOptions({ to: PATH.roles, search: { create: true, copy } }),
  sso: () => linkOptions({ to: PATH.sso }),
  whoMay: () => linkOptions({ to: PATH.whoMay }),
  about: () => linkOptions({ to: PATH.about }),
  settings: (search: SettingsSearch = {}) => linkOptions({ to: PATH.settings, search }),
  audit: (search: AuditSearch = {}) => linkOptions({ to: PATH.audit, search }),
  drift: (search: DriftSearch = {}) => linkOptions({ to: PATH.drift, search }),
  events: (search: EventsSearch = {}) => linkOptions({ to: PATH.events, search }),
  logs: (search: LogsSearch = {}) => linkOptions({ to: PATH.logs, search }),
  integrationLogs: (project: string, integration: string, search: LogsSearch = {}) =>
    linkOptions({ to: PATH.integrationLogs, params: { project, integration }, search }),
  metrics: (search: MetricsSearch = {}) => linkOptions({ to: PATH.metrics, search }),
  integrationMetrics: (project: string, integration: string, search: MetricsSearch = {}) =>
    linkOptions({ to: PATH.integrationMetrics, params: { project, integration }, search }),
  alerts: (search: AlertsSearch = {}) => linkOptions({ to: PATH.alerts, search }),
  alertRules: (search: AlertRulesSearch = {}) => linkOptions({ to: PATH.alertRules, search }),
  alertChannels: () => linkOptions({ to: PATH.alertChannels }),
  alertSilences: (search: AlertSilencesSearch = {}) => linkOptions({ to: PATH.alertSilences, search }),
  traces: (search: TracesSearch = {}) => linkOptions({ to: PATH.traces, search }),
  traceMap: (search: TracesSearch = {}) => linkOptions({ to: PATH.traceMap, search }),
  integrationTraces: (project: string, integration: string, search: TracesSearch = {}) =>
    linkOptions({ to: PATH.integrationTraces, params: { project, integration }, search }),
  integrationTraceMap: (project: string, integration: string, search: TracesSearch = {}) =>
    linkOptions({ to: PATH.integrationTraceMap, params: { project, integration }, search }),
  trace: (traceId: string, search: TraceSearch = {}) => linkOptions({ to: PATH.trace, params: { traceId }, search }),
  signIn: (target: string, problem?: string) =>
    linkOptions({
      to: PATH.signIn,
      search: { ...(target === PATH.home ? {} : { to: target }), ...(problem ? { problem } : {}) },
    }),
  password: (target: string) => linkOptions({ to: PATH.password, search: target === PATH.home ? {} : { to: target } }),
}

const UNSAFE = [PATH.signIn, PATH.password, '/auth/']

/** A target after sign-in is an address of this console and nothing else: no other host, no script. */
export function safeTarget(target: string | undefined): string {
  if (!target?.startsWith('/') || /^\/[/\\]/.test(target) || UNSAFE.some((path) => target.startsWith(path)))
    return PATH.home
  return target
}
