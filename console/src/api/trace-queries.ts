import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import * as doc from './generated/telemetry'
import { graphql } from './request'

/** Traces of one page: each is read whole to tell how large it is. */
export const TRACES = 25

export const tracesQuery = (filter: doc.TraceFilter) =>
  infiniteQueryOptions({
    queryKey: ['traces', filter],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.TracesDocument, { filter, first: TRACES, after: pageParam }, signal)).traces,
    initialPageParam: null as string | null,
    getNextPageParam: ({ pageInfo }) => (pageInfo.hasNextPage ? pageInfo.endCursor : null),
  })

export const traceQuery = (id: string) =>
  queryOptions({
    queryKey: ['trace', id],
    queryFn: async ({ signal }) => (await graphql(doc.TraceDocument, { id }, signal)).trace,
  })

export const serviceMapQuery = (scope: doc.TelemetryScope) =>
  queryOptions({
    queryKey: ['service-map', scope],
    queryFn: async ({ signal }) => (await graphql(doc.ServiceMapDocument, { scope }, signal)).serviceMap,
  })

/** What does not work in the telemetry store, and what to do; null when all is well. */
export const traceStoreQuery = queryOptions({
  queryKey: ['telemetry-degraded'],
  queryFn: async ({ signal }) => (await graphql(doc.TraceStoreDocument, {}, signal)).telemetry.degraded,
  refetchInterval: 60_000,
})
