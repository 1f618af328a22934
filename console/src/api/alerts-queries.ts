import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { ALERTS } from './firing-query'
import * as doc from './generated/alerts'
import { LARGEST_PAGE, PAGE_SIZE } from './queries'
import { graphql } from './request'

/** The API has no line for alerts: what is shown is read again this often. */
export const EVERY_MS = 5_000

const nextCursor = (page: { pageInfo: doc.PageFragment }) =>
  page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null
const fromStart: string | null = null

export const alertsQuery = (filter: doc.AlertFilter, first = PAGE_SIZE) =>
  infiniteQueryOptions({
    queryKey: [ALERTS, 'list', filter, first],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.AlertsDocument, { filter, first, after: pageParam }, signal)).alerts,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
    refetchInterval: EVERY_MS,
  })

export const alertRulesQuery = (search: string) =>
  infiniteQueryOptions({
    queryKey: [ALERTS, 'rules', search],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.AlertRulesDocument, { search: search || null, first: PAGE_SIZE, after: pageParam }, signal))
        .alertRules,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
    refetchInterval: EVERY_MS,
  })

export const alertRuleQuery = (id: string) =>
  queryOptions({
    queryKey: [ALERTS, 'rule', id],
    queryFn: async ({ signal }) => (await graphql(doc.AlertRuleDocument, { id }, signal)).alertRule,
  })

export type Limits = doc.AlertLimitsQuery['alertRules']['nodes'][number]

/** What the rules hold against what they measure, and their names for choices. There are at most 500 of them. */
export const alertLimitsQuery = queryOptions({
  queryKey: [ALERTS, 'limits'],
  queryFn: async ({ signal }) =>
    (await graphql(doc.AlertLimitsDocument, { first: LARGEST_PAGE, after: null }, signal)).alertRules.nodes,
  staleTime: EVERY_MS,
})

export const alertChannelsQuery = (first = PAGE_SIZE) =>
  infiniteQueryOptions({
    queryKey: [ALERTS, 'channels', first],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.AlertChannelsDocument, { first, after: pageParam }, signal)).alertChannels,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
  })

export const alertSilencesQuery = (includeEnded: boolean) =>
  infiniteQueryOptions({
    queryKey: [ALERTS, 'silences', includeEnded],
    queryFn: async ({ signal, pageParam }) =>
      (await graphql(doc.AlertSilencesDocument, { includeEnded, first: PAGE_SIZE, after: pageParam }, signal))
        .alertSilences,
    initialPageParam: fromStart,
    getNextPageParam: nextCursor,
    refetchInterval: EVERY_MS,
  })
