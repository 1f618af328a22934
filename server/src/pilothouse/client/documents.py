"""Every operation that the command line sends. A test validates each against the schema.

What a list selects is the stable shape of its JSON output; the reference page shows it from here.
"""

from functools import partial
from typing import Final

_PAGE = "pageInfo { endCursor hasNextPage }"
_PLACE = "project { handle } integration { handle } environment { handle }"
_COUNTS = "runtimes { total running offline unknown }"
_COMMAND = (
    "id action kind name package aspect value state reason route author attempts queuedAt deliveredAt endedAt retryable "
    "runtime { id runtimeId name environment { handle } project { handle } integration { handle } }"
)
_USER = (
    "id username displayName email kind state issuer isSuperAdmin createdAt createdBy lastSignInAt groups { id name }"
)
_GROUP = "id name description builtIn project { handle } createdAt createdBy memberCount"
_ROLE = "id name description builtIn permissions createdAt createdBy groupCount"
_MAPPING = f"id group {{ id name }} role {{ id name }} scope {{ {_PLACE} }} createdAt createdBy removable"
_OF_KEY = (
    "id name owner { id username } hint state permissions createdAt createdBy expiresAt lastUsedAt lastUsedAddress "
    "revokedAt revokedBy"
)
_OF_INGEST_KEY = f"id name {_PLACE} hint state createdAt createdBy expiresAt lastUsedAt revokedAt revokedBy"
_OF_SEAL = (
    "keyId environment { handle critical } project { handle } integration { handle } bound createdAt createdBy boundAt "
    "lastUsedAt runtimeCount state expiresAt revokedFrom revokedBy rotates rotatedBy"
)
_EVENT = f"sequence at kind message runtime {{ id runtimeId name }} {_PLACE} secretKeyId"
_AUDIT = "number at actor actorId via credentialId action target outcome address detail before after digest"
_RUNTIME = (
    "id runtimeId name type status statusReason statusSince lastHeartbeatAt address version registeredAt secretKeyId "
    "environment { handle critical } project { handle } integration { handle } changes { state reason }"
)
_ARTIFACT = "kind name package state tracing statistics facts { name value }"
_ENVIRONMENT = f"handle displayName critical tryIt createdAt {_COUNTS}"
_PROJECT = f"handle displayName description createdAt createdBy integrationCount {_COUNTS}"
_INTEGRATION = f"handle displayName description runtimeType project {{ handle }} createdAt createdBy {_COUNTS}"
_DELETION = (
    "kind handle deleted integrations runtimes runningRuntimes secrets desiredStates roleMappings groups message"
)
_SSO = "id issuer claim value group { id name } createdAt createdBy"
_SESSION = "id kind method createdAt lastUsedAt expiresAt address userAgent current"
_DECISION = f"user {{ id username }} permission place {{ {_PLACE} }} allowed reason"
_ORIGIN = "origin { unclaimed runtimeId runtime { id name } project { handle } integration { handle } environment { handle } }"
_LINE = f"id at level message logger traceId spanId attributes {{ key value }} {_ORIGIN}"
_FIGURES = "count rate mean min max percentiles { of value }"
_TOTAL = f"at errorRate all {{ {_FIGURES} }} succeeded {{ {_FIGURES} }} failed {{ {_FIGURES} }}"
_STEP = f"at errorRate all {{ {_FIGURES} }}"
_SPAN = f"id parentId name kind service at offsetMs durationMs failed {_ORIGIN}"
_GRANT = f"mapping group {{ name }} role {{ name }} by scope {{ {_PLACE} }}"


def _operation(kind: str, field: str, declared: str, selection: str, below: str = "") -> str:
    """Write an operation of one field whose arguments bear the names of its variables."""
    arguments = ", ".join(f"{part.split(':')[0]}: ${part.split(':')[0]}" for part in declared.split(", "))
    variables = ", ".join(f"${part}" for part in [*declared.split(", "), *(below.split(", ") if below else [])])
    return f"{kind} ({variables}) {{ {field}({arguments}) {{ {selection} }} }}"


_query = partial(_operation, "query")
_mutation = partial(_operation, "mutation")
_subscription = partial(_operation, "subscription")

# ---------------------------------------------------------------- who and where
VIEWER: Final = (
    "query { viewer { id username displayName email method mustChangePassword permissions groups { id name } } "
    "controlPlane { version } }"
)
PERMISSIONS: Final = "query { permissions { permission name meaning contains } }"

# ---------------------------------------------------------------- runtimes and what they host
RUNTIMES: Final = _query(
    "runtimes", "filter: RuntimeFilter, first: Int, after: String", f"nodes {{ {_RUNTIME} }} {_PAGE}"
)
RUNTIME: Final = _query(
    "runtime",
    "id: ID!",
    f"{_RUNTIME} heartbeatIntervalSeconds offlineAfterSeconds serviceCount listenerCount capabilities restartable "
    f"channel {{ connected since }} warnings {{ code message fix }} "
    f"node {{ hostname processId platformName platformVersion osName osVersion osArch startedAt }}",
)
RESTART_RUNTIME: Final = _mutation("restartRuntime", "id: ID!, confirm: String", f"{_COMMAND}")
ASK_RUNTIME: Final = _mutation("askRuntime", "input: AskRuntimeInput!", f"{_COMMAND}")
ADD_MI_USER: Final = _mutation("addMicroIntegratorUser", "input: AddMicroIntegratorUserInput!", f"{_COMMAND}")
REMOVE_MI_USER: Final = _mutation("removeMicroIntegratorUser", "input: RemoveMicroIntegratorUserInput!", f"{_COMMAND}")
DELETE_RUNTIME: Final = _mutation(
    "deleteRuntime", "id: ID!, revokeSecret: Boolean", "deleted orphanedKeyId secretRevoked"
)
ARTIFACTS: Final = _query(
    "runtime",
    "id: ID!",
    f"artifacts(kind: $kind, search: $search, first: $first, after: $after) {{ nodes {{ {_ARTIFACT} }} {_PAGE} }}",
    below="kind: ArtifactKind, search: String, first: Int, after: String",
)
MERGED_ARTIFACTS: Final = _query(
    "mergedArtifacts",
    "project: String!, integration: String!, environment: String!, kind: ArtifactKind, "
    "search: String, onlyDiffering: Boolean, first: Int, after: String",
    f"nodes {{ kind name package state inSync hostCount hostedBy {{ id runtimeId name }} missingCount "
    f"missingOn {{ id runtimeId name }} }} {_PAGE}",
)
NOT_AS_WANTED: Final = _query(
    "notAsWanted",
    "filter: NotAsWantedFilter, first: Int, after: String",
    f"nodes {{ {_PLACE} running forms failed unreached }} {_PAGE}",
)
LOG_LEVELS: Final = _query(
    "steering",
    "project: String!, integration: String!, environment: String!",
    f"artifacts(kind: LOGGER, search: $search, first: $first, after: $after) {{ nodes {{ name aspects {{ values "
    f"desired {{ value version author setAt }} observed {{ value runtimes {{ id runtimeId name }} }} "
    f"inSync }} }} {_PAGE} }}",
    below="search: String, first: Int, after: String",
)
TRY_IT: Final = _query(
    "runtime",
    "id: ID!",
    "id environment { handle critical } tryIt { blocked { code message fix } doors { listener scheme port open } "
    "definitions { fileName definition } } services(first: 200) { nodes { name basePath listeners resources "
    "{ methods path } } } listeners(first: 200) { nodes { name port } }",
)
SET_TRY_IT: Final = _mutation("setTryIt", "environment: String!, allowed: Boolean!", _ENVIRONMENT)
RUNTIME_CHANGED: Final = _subscription(
    "runtimeChanged",
    "filter: RuntimeFilter, after: Int",
    "sequence at resync kind runtimeKey runtime { id runtimeId name type status statusReason "
    "environment { handle } project { handle } integration { handle } } command { id action name value state reason }",
)

# ---------------------------------------------------------------- steering
CHANGE_ARTIFACT: Final = _mutation(
    "changeArtifact", "input: ChangeArtifactInput!", f"waiting commands {{ {_COMMAND} }}"
)
CHANGE_LOG_LEVEL: Final = _mutation(
    "changeLogLevel", "input: ChangeLogLevelInput!", f"waiting commands {{ {_COMMAND} }}"
)
RESET_LOG_LEVEL: Final = _mutation("resetLogLevel", "input: ResetLogLevelInput!", f"waiting commands {{ {_COMMAND} }}")
TRIGGER: Final = f"mutation ($input: TriggerArtifactInput!) {{ triggerArtifact(input: $input) {{ {_COMMAND} }} }}"
COMMANDS: Final = _query(
    "commands", "filter: CommandFilter, first: Int, after: String", f"nodes {{ {_COMMAND} }} {_PAGE}"
)
COMMAND: Final = f"query ($id: ID!) {{ command(id: $id) {{ {_COMMAND} nextAttemptAt deadline result }} }}"
RETRY_COMMAND: Final = f"mutation ($id: ID!) {{ retryCommand(id: $id) {{ {_COMMAND} }} }}"
COMMANDS_AT_ONCE: Final = 25


def several_commands(count: int) -> str:
    """Ask for so many commands at once, as `c0`, `c1` and so on, by the variables `$i0`, `$i1` and so on."""
    variables = ", ".join(f"$i{n}: ID!" for n in range(count))
    fields = " ".join(f"c{n}: command(id: $i{n}) {{ ...C }}" for n in range(count))
    return f"query ({variables}) {{ {fields} }} fragment C on Command {{ {_COMMAND} }}"


# ---------------------------------------------------------------- tenancy
ENVIRONMENTS: Final = _query("environments", "first: Int, after: String", f"nodes {{ {_ENVIRONMENT} }} {_PAGE}")
ENVIRONMENT: Final = f"query ($handle: String!) {{ environment(handle: $handle) {{ {_ENVIRONMENT} }} }}"
CREATE_ENVIRONMENT: Final = _mutation("createEnvironment", "input: CreateEnvironmentInput!", f"{_ENVIRONMENT}")
UPDATE_ENVIRONMENT: Final = _mutation(
    "updateEnvironment", "handle: String!, input: UpdateEnvironmentInput!", f"{_ENVIRONMENT}"
)
DELETE_ENVIRONMENT: Final = _mutation(
    "deleteEnvironment", "handle: String!, cascade: Boolean, confirm: String", f"{_DELETION}"
)
PROJECTS: Final = _query("projects", "search: String, first: Int, after: String", f"nodes {{ {_PROJECT} }} {_PAGE}")
PROJECT: Final = f"query ($handle: String!) {{ project(handle: $handle) {{ {_PROJECT} }} }}"
CREATE_PROJECT: Final = f"mutation ($input: CreateProjectInput!) {{ createProject(input: $input) {{ {_PROJECT} }} }}"
UPDATE_PROJECT: Final = _mutation("updateProject", "handle: String!, input: UpdateProjectInput!", f"{_PROJECT}")
DELETE_PROJECT: Final = _mutation("deleteProject", "handle: String!, cascade: Boolean, confirm: String", f"{_DELETION}")
INTEGRATIONS: Final = _query(
    "integrations",
    "project: String, runtimeType: RuntimeType, search: String, first: Int, after: String",
    f"nodes {{ {_INTEGRATION} }} {_PAGE}",
)
CREATE_INTEGRATION: Final = _mutation("createIntegration", "input: CreateIntegrationInput!", f"{_INTEGRATION}")
UPDATE_INTEGRATION: Final = _mutation(
    "updateIntegration", "project: String!, handle: String!, input: UpdateIntegrationInput!", f"{_INTEGRATION}"
)
DELETE_INTEGRATION: Final = _mutation(
    "deleteIntegration", "project: String!, handle: String!, cascade: Boolean, confirm: String", f"{_DELETION}"
)

# ---------------------------------------------------------------- secrets of runtimes
SECRETS: Final = _query("secrets", "filter: SecretFilter, first: Int, after: String", f"nodes {{ {_OF_SEAL} }} {_PAGE}")
SECRET: Final = f"query ($keyId: String!) {{ secret(keyId: $keyId) {{ {_OF_SEAL} }} }}"
GENERATE_SECRET: Final = _mutation(
    "generateSecret", "input: GenerateSecretInput!", "keyId secret configToml environment { handle }"
)
ROTATE_SECRET: Final = _mutation(
    "rotateSecret",
    "keyId: String!, overlapSeconds: Int",
    f"generated {{ keyId secret configToml environment {{ handle }} }} old {{ {_OF_SEAL} }}",
)
REVOKE_SECRET: Final = _mutation("revokeSecret", "keyId: String!, graceSeconds: Int", "keyId runtimeCount effectiveAt")
RESTORE_SECRET: Final = f"mutation ($keyId: String!) {{ restoreSecret(keyId: $keyId) {{ {_OF_SEAL} }} }}"
EXPIRE_SECRET: Final = _mutation("setSecretExpiry", "keyId: String!, expiresAt: DateTime", f"{_OF_SEAL}")

# ---------------------------------------------------------------- people and access
USERS: Final = _query("users", "filter: UserFilter, first: Int, after: String", f"nodes {{ {_USER} }} {_PAGE}")
CREATE_USER: Final = _mutation("createUser", "input: CreateUserInput!", f"user {{ {_USER} }} oneTimePassword")
UPDATE_USER: Final = _mutation("updateUser", "id: ID!, input: UpdateUserInput!", f"{_USER}")
DELETE_USER: Final = "mutation ($id: ID!) { deleteUser(id: $id) }"
RESET_PASSWORD: Final = "mutation ($user: ID!) { resetPassword(user: $user) { password } }"  # noqa: S105 - an operation
UNLOCK_USER: Final = "mutation ($id: ID!) { unlockUser(id: $id) }"
GROUPS: Final = _query("groups", "search: String, first: Int, after: String", f"nodes {{ {_GROUP} }} {_PAGE}")
GROUP_MEMBERS: Final = _query(
    "group",
    "id: ID!",
    f"members(first: $first, after: $after) {{ nodes {{ user {{ id username displayName kind }} addedAt fromSso }} {_PAGE} }}",
    below="first: Int, after: String",
)
GROUP_MAPPINGS: Final = _query(
    "group",
    "id: ID!",
    f"mappings(first: $first, after: $after) {{ nodes {{ {_MAPPING} }} {_PAGE} }}",
    below="first: Int, after: String",
)
CREATE_GROUP: Final = f"mutation ($input: GroupInput!) {{ createGroup(input: $input) {{ {_GROUP} }} }}"
UPDATE_GROUP: Final = _mutation("updateGroup", "id: ID!, input: GroupInput!", f"{_GROUP}")
DELETE_GROUP: Final = "mutation ($id: ID!, $cascade: Boolean) { deleteGroup(id: $id, cascade: $cascade) }"
ADD_MEMBERS: Final = _mutation("addGroupMembers", "group: ID!, users: [ID!]!", f"{_GROUP}")
REMOVE_MEMBERS: Final = _mutation("removeGroupMembers", "group: ID!, users: [ID!]!", f"{_GROUP}")
ROLES: Final = _query("roles", "search: String, first: Int, after: String", f"nodes {{ {_ROLE} }} {_PAGE}")
CREATE_ROLE: Final = f"mutation ($input: RoleInput!) {{ createRole(input: $input) {{ {_ROLE} }} }}"
UPDATE_ROLE: Final = _mutation("updateRole", "id: ID!, input: RoleInput!", f"{_ROLE}")
DELETE_ROLE: Final = "mutation ($id: ID!) { deleteRole(id: $id) }"
ROLE_MAPPINGS: Final = _query(
    "role",
    "id: ID!",
    f"mappings(first: $first, after: $after) {{ nodes {{ {_MAPPING} }} {_PAGE} }}",
    below="first: Int, after: String",
)
MAP_ROLE: Final = f"mutation ($input: MapRoleInput!) {{ mapRole(input: $input) {{ {_MAPPING} }} }}"
UNMAP_ROLE: Final = "mutation ($id: ID!) { unmapRole(id: $id) }"
SSO_MAPPINGS: Final = _query("ssoGroupMappings", "first: Int, after: String", f"nodes {{ {_SSO} }} {_PAGE}")
CREATE_SSO_MAPPING: Final = _mutation("createSsoGroupMapping", "input: SsoGroupMappingInput!", f"{_SSO}")
DELETE_SSO_MAPPING: Final = "mutation ($id: ID!) { deleteSsoGroupMapping(id: $id) }"
ACCESS: Final = _query(
    "access",
    "permission: Permission!, place: PlaceInput, user: ID",
    f"{_DECISION} through {{ {_GRANT} }} elsewhere {{ {_GRANT} }}",
)

# ---------------------------------------------------------------- tokens, sessions, audit, events
TOKENS: Final = _query(
    "apiTokens", "user: ID, includeEnded: Boolean, first: Int, after: String", f"nodes {{ {_OF_KEY} }} {_PAGE}"
)
CREATE_TOKEN: Final = _mutation("createApiToken", "input: CreateApiTokenInput!", f"token apiToken {{ {_OF_KEY} }}")
REVOKE_TOKEN: Final = f"mutation ($id: ID!) {{ revokeApiToken(id: $id) {{ {_OF_KEY} }} }}"
INGEST_TOKENS: Final = _query(
    "ingestTokens",
    "environment: String, includeEnded: Boolean, first: Int, after: String",
    f"nodes {{ {_OF_INGEST_KEY} }} {_PAGE}",
)
CREATE_INGEST_TOKEN: Final = _mutation(
    "createIngestToken", "input: CreateIngestTokenInput!", f"token ingestToken {{ {_OF_INGEST_KEY} }}"
)
REVOKE_INGEST_TOKEN: Final = _mutation("revokeIngestToken", "id: ID!", _OF_INGEST_KEY)
SESSIONS: Final = _query("sessions", "user: ID, first: Int, after: String", f"nodes {{ {_SESSION} }} {_PAGE}")
END_SESSION: Final = "mutation ($id: ID!) { endSession(id: $id) }"
END_ALL_SESSIONS: Final = "mutation ($user: ID) { endAllSessions(user: $user) }"
AUDIT: Final = _query("auditRecords", "filter: AuditFilter, first: Int, after: String", f"nodes {{ {_AUDIT} }} {_PAGE}")
AUDIT_CHECK: Final = "query { auditCheck { intact checked brokenAt message from } }"
EVENTS: Final = _query("events", "filter: EventFilter, first: Int, after: String", f"nodes {{ {_EVENT} }} {_PAGE}")
EVENT_HAPPENED: Final = _subscription(
    "eventHappened", "filter: EventFilter, after: Int", f"sequence resync event {{ {_EVENT} }}"
)

# ---------------------------------------------------------------- logs, metrics, traces
LOGS: Final = _query(
    "logs",
    "filter: LogFilter, newestFirst: Boolean, first: Int, after: String",
    f"nodes {{ {_LINE} }} {_PAGE} arrival",
)
LOG_CONTEXT: Final = _query(
    "logContext",
    "id: ID!, before: Int, after: Int",
    f"before {{ {_LINE} }} line {{ {_LINE} }} after {{ {_LINE} }}",
)
LOG_TAILED: Final = _subscription("logTailed", "filter: LogFilter, after: ID", f"arrival skipped lines {{ {_LINE} }}")
METRICS: Final = _query(
    "metrics",
    "filter: MetricFilter, name: String, by: [MetricDimension!], stepS: Int, percentiles: [Float!]",
    "name stepS from to left series { key project { handle } integration { handle } environment { handle } "
    f"runtime {{ id runtimeId name }} total {{ {_TOTAL} }} steps {{ {_STEP} }} }} left",
)
METRIC_NAMES: Final = "query ($scope: TelemetryScope) { metricNames(scope: $scope) }"
TRACES: Final = _query(
    "traces", "filter: TraceFilter, first: Int, after: String", f"nodes {{ traceId span {{ {_SPAN} }} }} {_PAGE}"
)
TRACE: Final = (
    f"query ($id: ID!) {{ trace(id: $id) {{ id at durationMs failed complete left spans {{ {_SPAN} "
    "attributes { key value } } } }"
)


def every_document() -> dict[str, str]:
    """Give all of them by name, for the test and the reference page."""
    named = {
        name: text for name, text in globals().items() if name.isupper() and name[0] != "_" and isinstance(text, str)
    }
    return named | {f"SEVERAL_COMMANDS_{count}": several_commands(count) for count in (1, COMMANDS_AT_ONCE)}


# ---------------------------------------------------------------- alerts
_ALERT_RULE = (
    f"id name condition severity enabled {_PLACE} threshold percentile windowS pattern levels forS remindS "
    "channels { id name kind } trouble lastJudgedAt firing createdAt createdBy criticalOnly builtIn"
)
_ALERT_SILENCE = f"id rule {{ id name }} {_PLACE} reason from to createdBy"
ALERTS: Final = _query(
    "alerts",
    "filter: AlertFilter, first: Int, after: String",
    f"nodes {{ id rule {{ id name }} severity state message {_PLACE} runtime {{ id runtimeId name }} value since firedAt "
    f"resolvedAt silenced }} {_PAGE}",
)
ALERT_RULES: Final = _query(
    "alertRules", "search: String, first: Int, after: String", f"nodes {{ {_ALERT_RULE} }} {_PAGE}"
)
SAVE_ALERT_RULE: Final = _mutation("saveAlertRule", "input: AlertRuleInput!", _ALERT_RULE)
DELETE_ALERT_RULE: Final = _mutation("deleteAlertRule", "id: ID!", "id name")
ALERT_CHANNELS: Final = _query(
    "alertChannels",
    "first: Int, after: String",
    f"nodes {{ id name kind target to createdAt createdBy lastSentAt lastFailedAt lastFailure }} {_PAGE}",
)
ALERT_CHANNEL_DIFFERENCES: Final = (
    "query ($input: AlertChannelInput!) { alertChannelDifferences(input: $input) }"  # a list of texts selects nothing
)
SAVE_ALERT_CHANNEL: Final = _mutation(
    "saveAlertChannel", "input: AlertChannelInput!", "channel { id name } signingSecret"
)
TEST_ALERT_CHANNEL: Final = _mutation("testAlertChannel", "id: ID!", "id kind state attempts reason createdAt sentAt")
ALERT_SILENCES: Final = _query(
    "alertSilences", "includeEnded: Boolean, first: Int, after: String", f"nodes {{ {_ALERT_SILENCE} }} {_PAGE}"
)
SILENCE_ALERTS: Final = _mutation("silenceAlerts", "input: AlertSilenceInput!", _ALERT_SILENCE)
END_ALERT_SILENCE: Final = _mutation("endAlertSilence", "id: ID!", _ALERT_SILENCE)
