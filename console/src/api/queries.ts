import { infiniteQueryOptions, type QueryClient, queryOptions } from '@tanstack/react-query'
import { hub } from '@/live/hub'
import { applyChanges, insertRows, type RuntimeList, type RuntimePage } from '@/live/merge'
import { forgetVisits } from '@/util/recent'
import * as doc from './generated/operations'
import { graphql } from './request'

export const PAGE_SIZE = 50
/** The most that the API gives at once. */
export const LARGEST_PAGE = 500

const nextCursor = (page: { pageInfo: doc.PageFragment }) =>
  page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
const fromStart: string | null = null

/**
 * Forgets everything that somebody saw who is no longer signed in. What everybody may know stays: a page that shows it
 * would wait for it forever.
 */
export function forget(client: QueryClient): void {
  forgetVisits()
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'methods' })
}

/** Keys of the cache; the first word says which pages a change makes stale. */
export const viewerQuery = queryOptions({
  queryKey: ['viewer'],
  queryFn: ({ signal }) => graphql(doc.ViewerDocument, {}, signal),
  staleTime: 5 * 60_000,
})

export const organizationQuery = queryOptions({
  queryKey: ['counts', 'organization'],
  queryFn: async ({ signal }) => (await graphql(doc.OrganizationDocument, {}, signal)).organization,
})

/** How many places are not as wanted, by what is wrong. */
export const tallyQuery = (filter: doc.NotAsWantedFilter) =>
  queryOptions({
    queryKey: ['counts', 'tally', filter],
    queryFn: async ({ signal }) => (await graphql(doc.TallyDocument, { filter }, signal)).notAsWanted,
  })

/** All of them, for choices and for the pages that have a part for each. */
export const environmentsQuery = queryOptions({
  queryKey: ['counts', 'environments'],
  queryFn: async ({ signal }) => {
    const nodes: doc.EnvironmentRowFragment[] = []
    let after: string | null = null
    do {
      const answer: doc.EnvironmentsQuery = await graphql(
        doc.EnvironmentsDocument,
        { first: LARGEST_PAGE, after },
        signal,
      )
      nodes.push(...answer.environments.nodes)
      after = nextCursor(answer.environments)
    } while (after !== null)
    return { nodes }
  },
})

export const environmentPagesQuery = infiniteQueryOptions({
  queryKey: ['counts', 'environments', 'pages'],
  queryFn: async ({ signal, pageParam }) =>
    (await graphql(doc.EnvironmentsDocument, { first: PAGE_SIZE, after: pageParam }, signal)).environments,
  initialPageParam: fromStart,
  getNextPageParam: nextCursor,
})

export const projectQuery = (handle: string) =>
  queryOptions({
    queryKey: ['counts', 'project', handle],
    queryFn: async ({ signal }) => (await graphql(doc.ProjectDocument, { handle }, signal)).project,
  })

export const integrationQuery = (project: string, handle: string) =>
  queryOptions({
    queryKey: ['counts', 'integration', project, handle],
    queryFn: async ({ signal }) => (await graphql(doc.IntegrationDocument, { project, handle }, signal)).integration,
  })

export const projectsQuery = (search: string, first = PAGE_SIZE, sort: doc.Sort | null = null) =>
  infiniteQueryOptions({
    queryKey: ['counts', 'projects', search, first, sort],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.ProjectsDocument, { search: search || null, sort, first, after: pageParam }, signal)).projects,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

type IntegrationsNarrowed = { runtimeType: doc.RuntimeType | null; sort: doc.Sort | null }

export const integrationsQuery = (
  project: string | null,
  search: string,
  first = PAGE_SIZE,
  { runtimeType, sort }: IntegrationsNarrowed = { runtimeType: null, sort: null },
) =>
  infiniteQueryOptions({
    queryKey: ['counts', 'integrations', project, search, first, runtimeType, sort],
    queryFn: async ({ signal, pageParam }) => {
      const variables = { project, runtimeType, search: search || null, sort, first, after: pageParam }
      return (await graphql(doc.IntegrationsDocument, variables, signal)).integrations
    },
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

/** A page as it was read, brought up to date with what the line said while it was on its way. */
function upToDate(page: RuntimePage, list: RuntimeList, isFirst: boolean): RuntimePage {
  const { pages, arrived } = applyChanges({ pages: [page], pageParams: [] }, list, hub.since(page.sequence))
  // Only the first page may take new rows by itself: another one cannot tell whether they belong before it.
  return (isFirst ? insertRows(pages, arrived, list.sort) : pages).pages[0] ?? page
}

/** Pages after the first one: whoever wants those wants many. */
const NEXT_PAGE_SIZE = 250

/** Kept true by the line: read again only when the list is shown anew. Rows are compared where they are shown, not here. */
export const runtimesQuery = (filter: doc.RuntimeFilter, first = PAGE_SIZE, sort: doc.RuntimeSort = 'NAME') =>
  infiniteQueryOptions({
    queryKey: ['runtimes', filter, first, sort],
    queryFn: async ({ signal, pageParam }) => {
      const variables = { filter, sort, first: pageParam === null ? first : NEXT_PAGE_SIZE, after: pageParam }
      const answer = await graphql(doc.RuntimesDocument, variables, signal)
      return upToDate(answer.runtimes, { filter, sort }, pageParam === null)
    },
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
    structuralSharing: false,
    refetchOnWindowFocus: false,
  })

/** Services, listeners and log levels are read together: the page shows all of them at once. */
export const runtimeQuery = (id: string, first: number) =>
  queryOptions({
    queryKey: ['runtime', id, first],
    queryFn: async ({ signal }) => (await graphql(doc.RuntimePageDocument, { id, first }, signal)).runtime,
  })

/** Whether the viewer may do something in a very place: mappings may reach one environment and not another. */
export const mayQuery = (permission: doc.Permission, place: doc.PlaceInput) =>
  queryOptions({
    queryKey: ['may', permission, place],
    queryFn: async ({ signal }) => (await graphql(doc.MayIDocument, { permission, place }, signal)).access,
    staleTime: 60_000,
  })

export type Place = { project: string; integration: string; environment: string }
export type SteeringFilter = { kind: doc.SteerableKind | null; search: string; onlyDiffering: boolean }

/** One page of what can be steered in a place; null when there is no such place. */
export const steeringQuery = (place: Place, { kind, search, onlyDiffering }: SteeringFilter) =>
  infiniteQueryOptions({
    queryKey: ['steering', place, kind, search, onlyDiffering],
    queryFn: async ({ signal, pageParam }) => {
      const narrow = { kind, search: search || null, onlyDiffering, first: PAGE_SIZE, after: pageParam }
      return (await graphql(doc.SteeringDocument, { ...place, ...narrow }, signal)).steering
    },
    initialPageParam: fromStart,
    getNextPageParam: (page: doc.SteeringQuery['steering']): string | null => page && nextCursor(page.artifacts),
  })

/** Running runtimes that host an artifact, of many the first. */
export const artifactHostsQuery = (
  place: Place,
  target: Pick<doc.ArtifactHostsQueryVariables, 'kind' | 'name' | 'package'>,
) =>
  queryOptions({
    queryKey: ['steering', place, 'hosts', target],
    queryFn: async ({ signal }) =>
      (await graphql(doc.ArtifactHostsDocument, { ...place, ...target }, signal)).steering?.hosts ?? [],
  })

export const commandsQuery = (filter: doc.CommandFilter) =>
  infiniteQueryOptions({
    queryKey: ['commands', filter],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.CommandsDocument, { filter, first: PAGE_SIZE, after: pageParam }, signal)).commands,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

/** How often a command under way is read again although the line tells of it: the line may be cut off. */
const COMMAND_EVERY_MS = 3_000

/** One command until it has ended; the line makes it stale with each step. */
export const commandQuery = (id: string) =>
  queryOptions({
    queryKey: ['command', id],
    queryFn: async ({ signal }) => (await graphql(doc.CommandDocument, { id }, signal)).command,
    refetchInterval: ({ state }) => {
      const under = state.data?.state
      return under === 'QUEUED' || under === 'DELIVERED' ? COMMAND_EVERY_MS : false
    },
  })

export const artifactsQuery = (id: string, kind: doc.ArtifactKind | null, search: string) =>
  infiniteQueryOptions({
    queryKey: ['artifacts', id, kind, search],
    queryFn: async ({ signal, pageParam }) => {
      const variables = { id, kind, search: search || null, first: PAGE_SIZE, after: pageParam }
      const page = (await graphql(doc.RuntimeArtifactsDocument, variables, signal)).runtime?.artifacts
      return page ?? { nodes: [], totalCount: 0, pageInfo: { endCursor: null, hasNextPage: false } }
    },
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

/** One secret with the first of the runtimes that hang on it. */
export const secretQuery = (keyId: string, first: number) =>
  queryOptions({
    queryKey: ['secret', keyId, first],
    queryFn: async ({ signal }) => (await graphql(doc.SecretDocument, { keyId, first, after: null }, signal)).secret,
  })

export const secretsQuery = (filter: doc.SecretFilter) =>
  infiniteQueryOptions({
    queryKey: ['secrets', filter],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.SecretsDocument, { filter, first: PAGE_SIZE, after: pageParam }, signal)).secrets,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

export const refusalsQuery = queryOptions({
  queryKey: ['refusals'],
  queryFn: async ({ signal }) => (await graphql(doc.RefusalsDocument, { first: 200 }, signal)).refusals,
  refetchInterval: 15_000,
})

/** The line does not tell of every heartbeat, nor of channels: they are read again. */
export const heartbeatQuery = (id: string) =>
  queryOptions({
    queryKey: ['heartbeat', id],
    queryFn: async ({ signal }) => (await graphql(doc.HeartbeatDocument, { id }, signal)).runtime,
    refetchInterval: 5_000,
  })

/** Where the overview looks: the whole organization, or one project. */
export type Within = { project?: string }

/**
 * The silent ones are asked for by their status, however many run. What has warnings or has stalled is no filter of the API:
 * that is picked from one large page of running ones, and it is said when there are more.
 */
export const notWellQuery = (within: Within = {}) =>
  queryOptions({
    queryKey: ['counts', 'not-well', within],
    queryFn: async ({ signal }) => {
      const read = async (statuses: doc.RuntimeStatus[]) => {
        const variables = { filter: { ...within, statuses }, first: LARGEST_PAGE, after: null }
        return (await graphql(doc.RuntimesDocument, variables, signal)).runtimes
      }
      const [silent, beating] = await Promise.all([read(['OFFLINE', 'UNKNOWN']), read(['RUNNING'])])
      const rows = [...silent.nodes, ...beating.nodes.filter(notWell)].sort(worstFirst)
      return { rows, silent: silent.totalCount, seen: beating.nodes.length, more: beating.pageInfo.hasNextPage }
    },
  })

function notWell({ warnings, changes }: doc.RuntimeRowFragment): boolean {
  return warnings.length > 0 || changes.state === 'STALLED'
}

const SEVERITY = { OFFLINE: 0, UNKNOWN: 1, RUNNING: 2 } as const

function worstFirst(a: doc.RuntimeRowFragment, b: doc.RuntimeRowFragment): number {
  const critical = Number(b.environment.critical) - Number(a.environment.critical)
  return critical || SEVERITY[a.status] - SEVERITY[b.status] || (a.statusSince < b.statusSince ? 1 : -1)
}
