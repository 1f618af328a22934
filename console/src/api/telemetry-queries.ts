import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import * as doc from './generated/telemetry'
import { graphql } from './request'

/** Lines of one page; the screen shows some fifty. */
export const LINES = 100

export const logsQuery = (filter: doc.LogFilter, newestFirst: boolean) =>
  infiniteQueryOptions({
    queryKey: ['logs', filter, newestFirst],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.LogsDocument, { filter, newestFirst, first: LINES, after: pageParam }, signal)).logs,
    initialPageParam: null as string | null,
    getNextPageParam: ({ pageInfo }) => (pageInfo.hasNextPage ? pageInfo.endCursor : null),
  })

export const logLevelsQuery = (filter: doc.LogFilter) =>
  queryOptions({
    queryKey: ['log-levels', filter],
    queryFn: async ({ signal }) => (await graphql(doc.LogLevelsDocument, { filter, stepS: null }, signal)).logLevels,
  })

/** What one keeps under a name. */
export const keptQuery = queryOptions({
  queryKey: ['kept', 'log-queries'],
  queryFn: async ({ signal }) => (await graphql(doc.KeptLogQueriesDocument, {}, signal)).kept,
})

export const logContextQuery = (id: string, around: number) =>
  queryOptions({
    queryKey: ['log-context', id, around],
    queryFn: async ({ signal }) =>
      (await graphql(doc.LogContextDocument, { id, before: around, after: around }, signal)).logContext,
  })
