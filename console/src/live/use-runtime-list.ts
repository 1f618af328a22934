import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react'
import {
  type BeatFragment,
  HeartbeatsDocument,
  type RuntimeFilter,
  type RuntimeRowFragment,
  type RuntimeSort,
} from '@/api/generated/operations'
import { PAGE_SIZE, runtimesQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { useGatheredChanges } from './hub'
import { applyChanges, applyHeartbeats, insertRows, type RuntimePages, recount, removeRows } from './merge'

/** The line tells of changes, not of every heartbeat and channel: those are read again at this pace. */
const HEARTBEATS_EVERY_MS = 5_000
/** A fleet may change a thousand times a second: what is shown changes no more often than eyes can follow. */
const SHOWN_EVERY_MS = 200

/** Rows that rest on the screen for so long have their heartbeats read; those that are scrolled past have not. */
const SEEN_MS = 150

/** So long is a new row marked. */
const FRESH_MS = 6_000

type Busy = 'pointed' | 'focused' | 'scrolled'
const NOBODY: ReadonlySet<string> = new Set()

/**
 * A list of runtimes that stays true: rows change in place; new ones appear with a quiet mark, or wait in `held` while
 * somebody points at the table, has the focus in it or has scrolled into it. Those that no longer belong here go afterwards.
 */
export function useRuntimeList(filter: RuntimeFilter, sort: RuntimeSort = 'NAME', enabled = true) {
  const client = useQueryClient()
  const options = runtimesQuery(filter, PAGE_SIZE, sort)
  const query = useInfiniteQuery({ ...options, enabled })
  const busy = useRef(new Set<Busy>())
  const [held, setHeld] = useState<RuntimeRowFragment[]>([])
  const [left, setLeft] = useState(NOBODY)
  const [fresh, setFresh] = useState(NOBODY)
  const [visible, setVisible] = useRested({ start: 0, end: PAGE_SIZE })

  const change = (how: (pages: RuntimePages) => RuntimePages) =>
    client.setQueryData(options.queryKey, (pages) => pages && (how(pages) as typeof pages))
  const show = (rows: RuntimeRowFragment[]) => {
    change((pages) => insertRows(pages, rows, sort))
    const ids = new Set(rows.map((row) => row.id))
    setFresh((before) => new Set([...before, ...ids]))
    setTimeout(() => setFresh((before) => new Set([...before].filter((id) => !ids.has(id)))), FRESH_MS)
  }
  const settle = useEffectEvent(() => {
    if (busy.current.size > 0) return
    if (left.size > 0) change((pages) => removeRows(pages, left))
    setLeft(NOBODY)
  })

  useGatheredChanges(SHOWN_EVERY_MS, (changes) => {
    const pages = client.getQueryData(options.queryKey)
    if (!pages) return
    const isBusy = busy.current.size > 0 || held.length > 0
    const merged = applyChanges(pages, { filter, sort }, changes, isBusy)
    if (merged.pages !== pages) change(() => merged.pages)
    const told = new Set(changes.map((each) => each.runtimeKey))
    setHeld((before) => {
      const rest = before.filter((row) => !told.has(row.id))
      const waiting = isBusy ? merged.arrived : []
      return rest.length === before.length && waiting.length === 0 ? before : [...rest, ...waiting]
    })
    setLeft((before) => (before.size === 0 && merged.left.length === 0 ? before : stillLeft(before, told, merged.left)))
    if (!isBusy && merged.arrived.length > 0) show(merged.arrived)
  })

  const pages = query.data?.pages
  const rows = useMemo(() => pages?.flatMap((page) => page.nodes) ?? [], [pages])
  useQuery({
    queryKey: ['heartbeats', filter, sort, pagesIn(query.data, visible).join(' ')],
    queryFn: async ({ signal }) => {
      const data = client.getQueryData(options.queryKey)
      const beats = new Map<string, BeatFragment>()
      let total: number | undefined
      for (const index of pagesIn(data, visible)) {
        const after = (data?.pageParams[index] ?? null) as string | null
        const first = Math.max(1, data?.pages[index]?.nodes.length ?? 0)
        const { runtimes } = await graphql(HeartbeatsDocument, { filter, sort, first, after }, signal)
        for (const node of runtimes.nodes) beats.set(node.id, node)
        total = runtimes.totalCount
      }
      change((known) => applyHeartbeats(total === undefined ? known : recount(known, total + left.size), beats))
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
    total: pages?.[0]?.totalCount ?? 0,
    held,
    left,
    fresh,
    showHeld: () => {
      show(held)
      setHeld([])
    },
    /** While any reason holds nothing moves. */
    setBusy: (why: Busy, value: boolean) => {
      if (value) busy.current.add(why)
      else if (busy.current.delete(why)) settle()
    },
    /** Of the rows on the screen the heartbeats are read, once they rest there. */
    setVisible,
  }
}

type Visible = { start: number; end: number }

/** Which rows are on the screen, told when that has not changed for a moment: a list that scrolls renders its own rows alone. */
function useRested(first: Visible) {
  const [visible, setVisible] = useState(first)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const tell = useCallback((start: number, end: number) => {
    clearTimeout(timer.current)
    timer.current = setTimeout(
      () => setVisible((before) => (before.start === start && before.end === end ? before : { start, end })),
      SEEN_MS,
    )
  }, [])
  return [visible, tell] as const
}

/** Those that left and have not come back, and those that left just now. */
function stillLeft(before: ReadonlySet<string>, told: ReadonlySet<string | null>, now: string[]): ReadonlySet<string> {
  const rest = [...before].filter((id) => !told.has(id))
  return new Set([...rest, ...now])
}

/** The pages that hold these rows: two at most where rows are a window's. */
function pagesIn(pages: RuntimePages | undefined, { start, end }: { start: number; end: number }): number[] {
  const found: number[] = []
  let first = 0
  pages?.pages.forEach((page, index) => {
    const behind = first + page.nodes.length
    if (first < end && behind > start) found.push(index)
    first = behind
  })
  return found
}
