import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import * as doc from './generated/people'
import { LARGEST_PAGE, PAGE_SIZE } from './queries'
import { graphql } from './request'

const nextCursor = (page: { pageInfo: doc.PageFragment }) =>
  page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
const fromStart: string | null = null

type Connection = { pageInfo: doc.PageFragment; totalCount: number }

/** A list of pages; its key begins with `people`, so that any change of who may do what makes it stale. */
function pages<Page extends Connection>(
  key: unknown[],
  read: (after: string | null, signal: AbortSignal) => Promise<Page>,
) {
  return infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ signal, pageParam }) => read(pageParam, signal),
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })
}

/** What permissions are and mean does not change while the page is open. */
export const permissionsQuery = queryOptions({
  queryKey: ['permissions'],
  queryFn: async ({ signal }) => (await graphql(doc.PermissionsDocument, {}, signal)).permissions,
  staleTime: Number.POSITIVE_INFINITY,
})

export const usersQuery = (filter: doc.UserFilter, sort: doc.Sort | null = null, first = PAGE_SIZE) =>
  pages(
    ['people', 'users', filter, sort, first],
    async (after, signal) => (await graphql(doc.UsersDocument, { filter, sort, first, after }, signal)).users,
  )

export const userQuery = (id: string) =>
  queryOptions({
    queryKey: ['people', 'user', id],
    queryFn: async ({ signal }) => (await graphql(doc.UserDocument, { id }, signal)).user,
  })

export const groupsQuery = (search: string, sort: doc.Sort | null = null, first = PAGE_SIZE) =>
  pages(
    ['people', 'groups', search, sort, first],
    async (after, signal) =>
      (await graphql(doc.GroupsDocument, { search: search || null, sort, first, after }, signal)).groups,
  )

export const groupQuery = (id: string, search: string, first: number, mappings: number) =>
  queryOptions({
    queryKey: ['people', 'group', id, search, first, mappings],
    queryFn: async ({ signal }) =>
      (await graphql(doc.GroupDocument, { id, search: search || null, first, mappings }, signal)).group,
  })

export const rolesQuery = (search: string, sort: doc.Sort | null = null, first = PAGE_SIZE) =>
  pages(
    ['people', 'roles', search, sort, first],
    async (after, signal) =>
      (await graphql(doc.RolesDocument, { search: search || null, sort, first, after }, signal)).roles,
  )

export const roleQuery = (id: string, first = LARGEST_PAGE) =>
  queryOptions({
    queryKey: ['people', 'role', id, first],
    queryFn: async ({ signal }) => (await graphql(doc.RoleDocument, { id, first }, signal)).role,
  })

export const ssoMappingsQuery = pages(
  ['people', 'sso'],
  async (after, signal) =>
    (await graphql(doc.SsoGroupMappingsDocument, { first: PAGE_SIZE, after }, signal)).ssoGroupMappings,
)

export const whoMayQuery = (permission: doc.Permission, place: doc.PlaceInput) =>
  pages(
    ['people', 'who-may', permission, place],
    async (after, signal) =>
      (await graphql(doc.WhoMayDocument, { permission, place, first: PAGE_SIZE, after }, signal)).whoMay,
  )

export const accessQuery = (permission: doc.Permission, place: doc.PlaceInput, user: string) =>
  queryOptions({
    queryKey: ['people', 'access', permission, place, user],
    queryFn: async ({ signal }) => (await graphql(doc.AccessDocument, { permission, place, user }, signal)).access,
  })

export const tokensQuery = (user: string | null, includeEnded: boolean) =>
  pages(
    ['people', 'tokens', user, includeEnded],
    async (after, signal) =>
      (await graphql(doc.ApiTokensDocument, { user, includeEnded, first: PAGE_SIZE, after }, signal)).apiTokens,
  )

export const sessionsQuery = (user: string | null) =>
  pages(
    ['people', 'sessions', user],
    async (after, signal) => (await graphql(doc.SessionsDocument, { user, first: PAGE_SIZE, after }, signal)).sessions,
  )

export const auditQuery = (filter: doc.AuditFilter) =>
  pages(
    ['audit', filter],
    async (after, signal) =>
      (await graphql(doc.AuditRecordsDocument, { filter, first: PAGE_SIZE, after }, signal)).auditRecords,
  )

export const eventsQuery = (filter: doc.EventFilter) =>
  pages(
    ['events', filter],
    async (after, signal) => (await graphql(doc.EventsDocument, { filter, first: PAGE_SIZE, after }, signal)).events,
  )

export const deletionQuery = (kind: doc.HandleKind, handle: string, project: string | null) =>
  queryOptions({
    queryKey: ['deletion', kind, handle, project],
    queryFn: async ({ signal }) => (await graphql(doc.DeletionDocument, { kind, handle, project }, signal)).deletion,
    staleTime: 0,
    gcTime: 0,
  })

export type MergedFilter = {
  kind: doc.ArtifactKind | null
  search: string
  onlyDiffering: boolean
  onlyFailed?: boolean
}

/** Every artifact of a place once; null when there is no such place. */
export const mergedQuery = (
  place: { project: string; integration: string; environment: string },
  { kind, search, onlyDiffering, onlyFailed = false }: MergedFilter,
) =>
  infiniteQueryOptions({
    queryKey: ['artifacts', 'merged', place, kind, search, onlyDiffering, onlyFailed],
    queryFn: async ({ signal, pageParam }) => {
      const narrow = { kind, search: search || null, onlyDiffering, onlyFailed }
      const variables = { ...place, ...narrow, first: PAGE_SIZE, after: pageParam }
      const page = (await graphql(doc.MergedArtifactsDocument, variables, signal)).mergedArtifacts
      return page ?? { nodes: [], totalCount: 0, differing: 0, pageInfo: { endCursor: null, hasNextPage: false } }
    },
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

/** Places that are not as wanted, counted by what is wrong; read anew with the counts of the fleet. */
export const notAsWantedQuery = (filter: doc.NotAsWantedFilter, first = PAGE_SIZE) =>
  pages(
    ['counts', 'not-as-wanted', filter, first],
    async (after, signal) => (await graphql(doc.NotAsWantedDocument, { filter, first, after }, signal)).notAsWanted,
  )
