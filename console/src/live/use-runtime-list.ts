import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import {
  type BeatFragment,
  HeartbeatsDocument,
  type HeartbeatsQueryVariables,
  type RuntimeFilter,
  type RuntimeRowFragment,
} from '@/api/generated/operations'
import { LARGEST_PAGE, runtimesQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { useRuntimeChanges } from './hub'
import { applyChange, applyHeartbeats, insertRows } from './merge'

/** The line tells of changes, not of every heartbeat and channel: those are read again at this pace. */
const HEARTBEATS_EVERY_MS = 5_000

/**
 * A list of runtimes that stays true: rows change in place; new ones appear with a quiet mark,
 * or wait in `held` while somebody points at the table or has the focus in it.
 */
export function useRuntimeList(filter: RuntimeFilter) {
  const client = useQueryClient()
  const options = runtimesQuery(filter)
  const query = useInfiniteQuery(options)
  const busy = useRef(false)
  const [held, setHeld] = useState<RuntimeRowFragment[]>([])
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set())

  const show = (rows: RuntimeRowFragment[]) => {
    client.setQueryData(options.queryKey, (pages) => pages && (insertRows(pages, rows) as typeof pages))
    setFresh((before) => new Set([...before, ...rows.map((row) => row.id)]))
  }

  useRuntimeChanges((change) => {
    const pages = client.getQueryData(options.queryKey)
    if (!pages || change.resync) return
    const merged = applyChange(pages, filter, change)
    if (merged.pages !== pages) client.setQueryData(options.queryKey, merged.pages as typeof pages)
    // Several changes may come before the next render: each one builds on what the last one left.
    const { arrived } = merged
    const waiting = arrived && busy.current ? [arrived] : []
    setHeld((before) => withoutRow(before, change.runtimeKey, waiting))
    if (arrived && !busy.current) show([arrived])
  })

  const pages = query.data?.pages ?? []
  const rows = pages.flatMap((page) => page.nodes)
  useQuery({
    queryKey: ['heartbeats', filter, pages.length],
    queryFn: async ({ signal }) => {
      const beats = await readHeartbeats(filter, rows.length, signal)
      client.setQueryData(options.queryKey, (known) => known && (applyHeartbeats(known, beats) as typeof known))
      return beats.size
    },
    enabled: rows.length > 0,
    refetchInterval: HEARTBEATS_EVERY_MS,
    initialData: 0,
    staleTime: HEARTBEATS_EVERY_MS,
  })

  return {
    query,
    rows,
    total: pages[0]?.totalCount ?? 0,
    held,
    fresh,
    showHeld: () => {
      show(held)
      setHeld([])
    },
    setBusy: (value: boolean) => {
      busy.current = value
    },
  }
}

/** The waiting rows without the one that changed, and with its new self; the same array when nothing is different. */
function withoutRow(
  before: RuntimeRowFragment[],
  id: string | null,
  instead: RuntimeRowFragment[],
): RuntimeRowFragment[] {
  const rest = before.filter((row) => row.id !== id)
  return rest.length === before.length && instead.length === 0 ? before : [...rest, ...instead]
}

/** The instants of at least so many runtimes, in as few requests as the API allows. */
async function readHeartbeats(filter: RuntimeFilter, atLeast: number, signal: AbortSignal) {
  const beats = new Map<string, BeatFragment>()
  let after: string | null = null
  do {
    const variables: HeartbeatsQueryVariables = { filter, first: Math.min(LARGEST_PAGE, atLeast), after }
    const { runtimes } = await graphql(HeartbeatsDocument, variables, signal)
    for (const node of runtimes.nodes) beats.set(node.id, node)
    after = runtimes.pageInfo.hasNextPage ? runtimes.pageInfo.endCursor : null
  } while (after !== null && beats.size < atLeast)
  return beats
}
