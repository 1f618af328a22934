import { queryOptions } from '@tanstack/react-query'
import { AlertsFiringDocument } from './generated/operations'
import { graphql } from './request'

const EVERY_MS = 10_000

/** Keys begin with `alerts`: what is changed makes all of it stale. */
export const ALERTS = 'alerts'

/** How many alerts fire: every page tells it, and most know nothing else of alerts. */
export const firingQuery = queryOptions({
  queryKey: [ALERTS, 'firing'],
  queryFn: async ({ signal }) => (await graphql(AlertsFiringDocument, {}, signal)).alerts.totalCount,
  refetchInterval: EVERY_MS,
})
