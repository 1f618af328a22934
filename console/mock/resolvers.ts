import type * as api from '../src/api/generated/schema'
import { deriveHandle } from '../src/util/handle'
import { accessRoot, sorted } from './access'
import { alertsRoot } from './alerts'
import { auditRoot } from './audit'
import { changingRoot } from './changing'
import {
  connection,
  countsOf,
  type Db,
  type IntegrationRecord,
  iso,
  type PageArguments,
  type RuntimeRecord,
  verdict,
  viewRuntime,
} from './db'
import { driftRoot } from './drift'
import { installationRoot } from './installation'
import { metricsRoot } from './metrics'
import { refuse } from './refuse'
import { secretsRoot } from './secrets'
import { selfRoot } from './self'
import { steeringRoot } from './steering'
import { telemetryRoot } from './telemetry'
import { tracesRoot } from './traces'
import { tryItRoot } from './try-it'

/** A project with this handle cannot be made: the way to see a failing server. */
const BROKEN = 'broken'

type Search = { search?: string | null }
const found = (search: string | null | undefined, item: { handle: string; displayName: string }) =>
  !search || `${item.displayName} ${item.handle}`.toLowerCase().includes(search.toLowerCase())
type Sorting = { sort?: api.Sort | null }
const named = ({ displayName: name, createdAt }: { displayName: string; createdAt: string }) => ({ name, createdAt })

export function filterRuntimes(db: Db, filter: api.RuntimeFilter | null | undefined) {
  const known = new Map<string, boolean>()
  const sees = ({ project, integration, environment }: Db['runtimes'][number]) => {
    const place = { project: project.handle, integration: integration.handle, environment: environment.handle }
    const key = Object.values(place).join('/')
    const answer = known.get(key) ?? db.people.holds('INTEGRATION_MGT_VIEW', place)
    known.set(key, answer)
    return answer
  }
  return db.runtimes.filter(
    (runtime) =>
      (!filter?.environment || runtime.environment.handle === filter.environment) &&
      (!filter?.project || runtime.project.handle === filter.project) &&
      (!filter?.integration || runtime.integration.handle === filter.integration) &&
      (!filter?.type || runtime.type === filter.type) &&
      (!filter?.statuses?.length || filter.statuses.includes(verdict(runtime).status)) &&
      (!filter?.search ||
        `${runtime.name} ${runtime.runtimeId} ${runtime.node.hostname}`
          .toLowerCase()
          .includes(filter.search.toLowerCase())) &&
      sees(runtime) &&
      (!filter?.secretKeyId || runtime.secretKeyId === filter.secretKeyId),
  )
}

export function makeRoot(db: Db) {
  const { people } = db
  const sees = (place: { project: string; integration?: string }) =>
    people.somewhere(place.integration ? 'INTEGRATION_MGT_VIEW' : 'PROJECT_MGT_VIEW', place)
  const project = (record: (typeof db.projects)[number]) => ({
    ...record,
    integrationCount: db.integrations.filter((each) => each.project === record.handle).length,
    runtimes: countsOf(filterRuntimes(db, { project: record.handle })),
    permissions: people.permissionsIn({ project: record.handle }),
  })
  const integration = (record: IntegrationRecord) => ({
    ...record,
    project: db.projects.find((each) => each.handle === record.project),
    runtimes: countsOf(filterRuntimes(db, { project: record.project, integration: record.handle })),
    permissions: people.permissionsIn({ project: record.project, integration: record.handle }),
  })
  const environment = (record: (typeof db.environments)[number]) => ({
    ...record,
    runtimes: countsOf(filterRuntimes(db, { environment: record.handle })),
    tryIt: db.trying.isAllowed(record),
    permissions: people.permissionsIn({ environment: record.handle }),
  })
  const taken = (kind: api.HandleKind, handle: string, inProject?: string | null) =>
    kind === 'PROJECT'
      ? db.projects.some((each) => each.handle === handle)
      : kind === 'ENVIRONMENT'
        ? db.environments.some((each) => each.handle === handle)
        : db.integrations.some((each) => each.handle === handle && each.project === inProject)
  const newHandle = (
    kind: api.HandleKind,
    input: { handle?: string | null; displayName: string },
    inProject?: string,
  ) => {
    if (!input.displayName.trim()) refuse('INVALID', 'Enter a display name.', { field: 'displayName' })
    const handle = input.handle || deriveHandle(input.displayName)
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(handle) || handle.length > 64) {
      refuse('INVALID', 'Use lower-case letters, digits and single dashes, 1 to 64.', { field: 'handle' })
    }
    if (taken(kind, handle, inProject)) refuse('HANDLE_TAKEN', `The handle ${handle} is taken.`, { field: 'handle' })
    return handle
  }
  /** Those without a name come last, as on the server. */
  const byNameOfRuntime = (a: RuntimeRecord, b: RuntimeRecord) =>
    `${a.name?.toLowerCase() ?? '\uffff'} ${a.id}` < `${b.name?.toLowerCase() ?? '\uffff'} ${b.id}` ? -1 : 1
  const byAge = (a: RuntimeRecord, b: RuntimeRecord) =>
    `${a.registeredAt} ${a.id}` < `${b.registeredAt} ${b.id}` ? -1 : 1
  const runtimeOrders = {
    NAME: byNameOfRuntime,
    OLDEST: byAge,
    NEWEST: (a: RuntimeRecord, b: RuntimeRecord) => byAge(b, a),
  }

  return {
    viewer: () => ({
      ...people.me,
      permissions: people.everything(),
      groups: people.groupsOf(people.me.id),
      method: people.me.issuer === 'password' ? 'password' : 'oidc',
      mustChangePassword: people.me.state === 'MUST_CHANGE_PASSWORD',
    }),
    organization: () => ({
      handle: 'default',
      displayName: 'Acme',
      projectCount: db.projects.length,
      integrationCount: db.integrations.length,
      runtimes: countsOf(filterRuntimes(db, null)),
      permissions: people.permissionsIn({}),
    }),
    controlPlane: () => ({
      version: '0.1.0-mock',
      runtimeUrl: 'https://pilothouse.example:9445',
      runtimeUrlIsDefault: false,
      startedAt: db.startedAt,
    }),
    environments: (page: PageArguments) => connection(db.environments.map(environment), page),
    environment: ({ handle }: { handle: string }) =>
      db.environments.map(environment).find((each) => each.handle === handle),
    projects: ({ search, sort, ...page }: Search & Sorting & PageArguments) =>
      connection(
        sorted(
          db.projects.filter((each) => found(search, each) && sees({ project: each.handle })),
          sort,
          named,
        ).map(project),
        page,
      ),
    project: ({ handle }: { handle: string }) =>
      db.projects.filter((each) => each.handle === handle && sees({ project: handle })).map(project)[0] ?? null,
    integrations: ({
      project: inProject,
      runtimeType,
      search,
      sort,
      ...page
    }: Search & Sorting & PageArguments & { project?: string | null; runtimeType?: api.RuntimeType | null }) => {
      const members = db.integrations.filter(
        (each) =>
          (!inProject || each.project === inProject) &&
          (!runtimeType || each.runtimeType === runtimeType) &&
          found(search, each) &&
          sees({ project: each.project, integration: each.handle }),
      )
      return connection(sorted(members, sort, named).map(integration), page)
    },
    integration: (key: { project: string; handle: string }) =>
      db.integrations
        .filter((each) => each.project === key.project && each.handle === key.handle)
        .filter((each) => sees({ project: each.project, integration: each.handle }))
        .map(integration)[0] ?? null,
    runtimes: ({
      filter,
      sort,
      ...page
    }: { filter?: api.RuntimeFilter | null; sort?: api.RuntimeSort | null } & PageArguments) => {
      const { nodes, ...rest } = connection(filterRuntimes(db, filter).sort(runtimeOrders[sort ?? 'NAME']), page)
      return { ...rest, nodes: nodes.map((each) => viewRuntime(each, db)), sequence: db.sequence }
    },
    runtime: ({ id }: { id: string }) =>
      filterRuntimes(db, null)
        .filter((each) => each.id === id)
        .map((each) => viewRuntime(each, db))[0] ?? null,
    ...secretsRoot(db),
    ...steeringRoot(db),
    ...accessRoot(db),
    ...selfRoot(db),
    ...auditRoot(db),
    ...telemetryRoot(db),
    ...tracesRoot(db),
    ...tryItRoot(db),
    ...metricsRoot(db),
    ...changingRoot(db),
    ...driftRoot(db),
    ...alertsRoot(db),
    ...installationRoot(db),
    refusals: () => db.refusals,
    handleAvailability: ({
      kind,
      handle,
      project: inProject,
    }: {
      kind: api.HandleKind
      handle: string
      project?: string
    }) => {
      const free = !taken(kind, handle, inProject)
      return {
        handle,
        available: free,
        reason: free ? null : `${handle} is taken.`,
        suggestion: free ? null : `${handle}-2`,
      }
    },
    createProject: ({ input }: { input: api.CreateProjectInput }) => {
      const handle = newHandle('PROJECT', input)
      if (handle === BROKEN) refuse('INTERNAL', 'The database did not answer.', { fix: 'Try again in a minute.' })
      const { displayName, description } = input
      const made = { handle, displayName, description: description ?? '', createdAt: iso(0), createdBy: people.viewer }
      db.projects.push(made)
      return project(made)
    },
    createIntegration: ({ input }: { input: api.CreateIntegrationInput }) => {
      const handle = newHandle('INTEGRATION', input, input.project)
      const { displayName, description, runtimeType } = input
      const made = {
        handle,
        displayName,
        description: description ?? '',
        createdAt: iso(0),
        createdBy: people.viewer,
        runtimeType,
        project: input.project,
      }
      db.integrations.push(made)
      return integration(made)
    },
    createEnvironment: ({ input }: { input: api.CreateEnvironmentInput }) => {
      const made = {
        handle: newHandle('ENVIRONMENT', input),
        displayName: input.displayName,
        critical: input.critical,
        createdAt: iso(0),
      }
      db.environments.push(made)
      return environment(made)
    },
  }
}
