import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { HeartbeatsDocument, type RuntimeFilter, type RuntimeRowFragment } from '@/api/generated/operations'
import { PAGE_SIZE, runtimesQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { useRuntimeChanges } from './hub'
import { applyChange, applyHeartbeats, insertRows } from './merge'

/** The line tells of changes, not of every heartbeat: their instants are read again at this pace. */
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
    setHeld([])
  }

  useRuntimeChanges((change) => {
    const pages = client.getQueryData(options.queryKey)
    if (!pages || change.resync) return
    const merged = applyChange(pages, filter, change)
    if (merged.pages !== pages) client.setQueryData(options.queryKey, merged.pages as typeof pages)
    const waiting = held.filter((row) => row.id !== change.runtimeKey)
    if (!merged.arrived) {
      if (waiting.length !== held.length) setHeld(waiting)
    } else if (busy.current) setHeld([...waiting, merged.arrived])
    else show([...waiting, merged.arrived])
  })

  const pages = query.data?.pages ?? []
  const rows = pages.flatMap((page) => page.nodes)
  useQuery({
    queryKey: ['heartbeats', filter, pages.length],
    queryFn: async ({ signal }) => {
      const first = Math.min(500, pages.length * PAGE_SIZE)
      const answer = await graphql(HeartbeatsDocument, { filter, first, after: null }, signal)
      const beats = new Map(answer.runtimes.nodes.map((node) => [node.id, node.lastHeartbeatAt]))
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
    showHeld: () => show(held),
    setBusy: (value: boolean) => {
      busy.current = value
    },
  }
}
