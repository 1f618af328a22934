import type * as api from '../src/api/generated/schema'
import { deriveHandle } from '../src/util/handle'
import { connection, countsOf, type Db, type IntegrationRecord, iso, type PageArguments, viewRuntime } from './db'
import { refuse } from './refuse'
import { secretsRoot } from './secrets'
import { steeringRoot } from './steering'

/** A project with this handle cannot be made: the way to see a failing server. */
const BROKEN = 'broken'

const ALL: api.Permission[] = [
  'SIGNED_IN',
  'INTEGRATION_MGT_VIEW',
  'INTEGRATION_MGT_EDIT',
  'INTEGRATION_MGT_MANAGE',
  'ENVIRONMENT_MGT_MANAGE',
  'ENVIRONMENT_MGT_MANAGE_NONPROD',
  'PROJECT_MGT_VIEW',
  'PROJECT_MGT_EDIT',
  'PROJECT_MGT_MANAGE',
]

type Search = { search?: string | null }
const found = (search: string | null | undefined, item: { handle: string; displayName: string }) =>
  !search || `${item.displayName} ${item.handle}`.toLowerCase().includes(search.toLowerCase())
const byName = (a: { displayName: string }, b: { displayName: string }) => a.displayName.localeCompare(b.displayName)

export function filterRuntimes(db: Db, filter: api.RuntimeFilter | null | undefined) {
  return db.runtimes.filter(
    (runtime) =>
      (!filter?.environment || runtime.environment.handle === filter.environment) &&
      (!filter?.project || runtime.project.handle === filter.project) &&
      (!filter?.integration || runtime.integration.handle === filter.integration) &&
      (!filter?.secretKeyId || runtime.secretKeyId === filter.secretKeyId),
  )
}

export function makeRoot(db: Db) {
  const project = (record: (typeof db.projects)[number]) => ({
    ...record,
    integrationCount: db.integrations.filter((each) => each.project === record.handle).length,
    runtimes: countsOf(filterRuntimes(db, { project: record.handle })),
  })
  const integration = (record: IntegrationRecord) => ({
    ...record,
    project: db.projects.find((each) => each.handle === record.project),
    runtimes: countsOf(filterRuntimes(db, { project: record.project, integration: record.handle })),
  })
  const environment = (record: (typeof db.environments)[number]) => ({
    ...record,
    runtimes: countsOf(filterRuntimes(db, { environment: record.handle })),
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
  const byNameOfRuntime = (a: { name?: string | null; id: string }, b: { name?: string | null; id: string }) =>
    `${a.name ?? ''} ${a.id}` < `${b.name ?? ''} ${b.id}` ? -1 : 1

  return {
    viewer: () => ({ username: 'admin', displayName: 'Administrator', permissions: ALL }),
    organization: () => ({
      handle: 'default',
      displayName: 'Acme',
      projectCount: db.projects.length,
      integrationCount: db.integrations.length,
      runtimes: countsOf(db.runtimes),
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
    projects: ({ search, ...page }: Search & PageArguments) =>
      connection(
        db.projects
          .filter((each) => found(search, each))
          .sort(byName)
          .map(project),
        page,
      ),
    project: ({ handle }: { handle: string }) =>
      db.projects.map(project).find((each) => each.handle === handle) ?? null,
    integrations: ({ project: inProject, search, ...page }: Search & PageArguments & { project?: string | null }) => {
      const members = db.integrations.filter(
        (each) => (!inProject || each.project === inProject) && found(search, each),
      )
      return connection(members.sort(byName).map(integration), page)
    },
    integration: (key: { project: string; handle: string }) =>
      db.integrations
        .filter((each) => each.project === key.project && each.handle === key.handle)
        .map(integration)[0] ?? null,
    runtimes: ({ filter, ...page }: { filter?: api.RuntimeFilter | null } & PageArguments) => ({
      ...connection(
        filterRuntimes(db, filter)
          .sort(byNameOfRuntime)
          .map((each) => viewRuntime(each, db)),
        page,
      ),
      sequence: db.sequence,
    }),
    runtime: ({ id }: { id: string }) =>
      db.runtimes.filter((each) => each.id === id).map((each) => viewRuntime(each, db))[0] ?? null,
    ...secretsRoot(db),
    ...steeringRoot(db),
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
      const made = { handle, displayName, description: description ?? '', createdAt: iso(0), createdBy: 'admin' }
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
        createdBy: 'admin',
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
