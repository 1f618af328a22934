import type {
  ArtifactKind,
  Question,
  RuntimeSort,
  RuntimeStatus,
  RuntimeType,
  Sort,
  SteerableKind,
} from '@/api/generated/operations'
import type { AuditOutcome, Permission, Trouble, UserKind, UserState } from '@/api/generated/people'
import type { Severity } from '@/api/generated/telemetry'

/** What may be chosen, by filters and in addresses; in the order in which it is offered. */

export const STEERABLE_KINDS = [
  'API',
  'CONSUMER',
  'ENDPOINT',
  'INBOUND_ENDPOINT',
  'LISTENER',
  'LOGGER',
  'MESSAGE_PROCESSOR',
  'PROXY_SERVICE',
  'SCHEDULE',
  'SEQUENCE',
  'TASK',
  'TEMPLATE',
] as const satisfies SteerableKind[]

export const ARTIFACT_KINDS = [
  'API',
  'AUTOMATION',
  'CARBON_APP',
  'CONNECTOR',
  'CONSUMER',
  'DATA_SERVICE',
  'DATA_SOURCE',
  'ENDPOINT',
  'INBOUND_ENDPOINT',
  'LISTENER',
  'LOCAL_ENTRY',
  'MESSAGE_PROCESSOR',
  'MESSAGE_STORE',
  'PROXY_SERVICE',
  'REGISTRY_RESOURCE',
  'SCHEDULE',
  'SEQUENCE',
  'SERVICE',
  'TASK',
  'TEMPLATE',
] as const satisfies ArtifactKind[]

export const SORTS = ['NAME', 'NAME_DESCENDING', 'NEWEST', 'OLDEST'] as const satisfies Sort[]
export const TYPES = ['PY', 'BI', 'MI'] as const satisfies RuntimeType[]
export const STATUSES = ['RUNNING', 'OFFLINE', 'UNKNOWN'] as const satisfies RuntimeStatus[]
export const RUNTIME_GROUPS = ['integration', 'none'] as const
export const RUNTIME_SORTS = ['NEWEST', 'OLDEST'] as const satisfies RuntimeSort[]
export const USER_KINDS = ['PERSON', 'SERVICE'] as const satisfies UserKind[]
export const USER_STATES = ['ACTIVE', 'MUST_CHANGE_PASSWORD', 'DISABLED'] as const satisfies UserState[]
export const TROUBLES = ['DIFFERING', 'FAILED', 'UNREACHED'] as const satisfies Trouble[]
export const OUTCOMES = ['DONE', 'REFUSED'] as const satisfies AuditOutcome[]
export const SEVERITIES = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const satisfies Severity[]
export const SPANS = ['15m', '1h', '6h', '1d', '7d', '30d'] as const
export const METRIC_VIEWS = ['calls', 'processes'] as const
export const METRIC_PARTS = ['environment', 'runtime', 'integration'] as const
export const METRIC_SHARES = ['p50', 'p90', 'p95', 'p99'] as const
export const METRIC_ORDERS = ['name', 'count', 'errors', 'rate', ...METRIC_SHARES] as const
export const PERMISSIONS = [
  'PROJECT_MGT_VIEW',
  'PROJECT_MGT_EDIT',
  'PROJECT_MGT_MANAGE',
  'INTEGRATION_MGT_VIEW',
  'INTEGRATION_MGT_EDIT',
  'INTEGRATION_MGT_MANAGE',
  'INTEGRATION_MGT_TRY',
  'ENVIRONMENT_MGT_MANAGE_NONPROD',
  'ENVIRONMENT_MGT_MANAGE',
  'OBSERVABILITY_MGT_VIEW_LOGS',
  'OBSERVABILITY_MGT_VIEW_INSIGHTS',
  'WORKFLOW_MGT_VIEW_WORKFLOWS',
  'WORKFLOW_MGT_MANAGE_WORKFLOWS',
  'WORKFLOW_MGT_VIEW_HUMAN_TASKS',
  'WORKFLOW_MGT_MANAGE_HUMAN_TASKS',
  'USER_MGT_UPDATE_USERS',
  'USER_MGT_MANAGE_USERS',
  'USER_MGT_UPDATE_GROUP_ROLES',
  'USER_MGT_MANAGE_GROUPS',
  'USER_MGT_MANAGE_ROLES',
  'ALERT_MGT_MANAGE',
  'AUDIT_MGT_VIEW',
] as const satisfies Permission[]
/** What can be asked of a runtime and linked to. */
export const ASKS = ['LOGGERS', 'LOG_FILES', 'REGISTRY', 'USERS'] as const satisfies Question[]
export const RUNTIME_ACTS = ['restart', 'remove'] as const
