import { queryOptions } from '@tanstack/react-query'
import * as doc from './generated/telemetry'
import { graphql } from './request'

/** A minute's figures do not change any more once it is over: the keys hold the time, and a new minute is a new key. */
export const metricStepsQuery = (variables: doc.MetricStepsQueryVariables) =>
  queryOptions({
    queryKey: ['metric-steps', variables],
    queryFn: async ({ signal }) => (await graphql(doc.MetricStepsDocument, variables, signal)).metrics,
    staleTime: 60_000,
  })

export const metricTableQuery = (variables: doc.MetricTableQueryVariables) =>
  queryOptions({
    queryKey: ['metric-table', variables],
    queryFn: async ({ signal }) => (await graphql(doc.MetricTableDocument, variables, signal)).metrics,
    staleTime: 60_000,
  })

/** Several figures of the same processes; they come together, so that all charts show the same time. */
export const processStepsQuery = (names: string[], filter: doc.MetricFilter, stepS: number) =>
  queryOptions({
    queryKey: ['process-steps', names, filter, stepS],
    queryFn: ({ signal }) =>
      Promise.all(
        names.map(async (name) => (await graphql(doc.ProcessStepsDocument, { filter, name, stepS }, signal)).metrics),
      ),
    staleTime: 60_000,
  })

export const telemetryStoreQuery = queryOptions({
  queryKey: ['telemetry-store'],
  queryFn: async ({ signal }) => (await graphql(doc.TelemetryStoreDocument, {}, signal)).telemetry,
  refetchInterval: 60_000,
})
