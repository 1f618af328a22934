import { Link, type LinkProps } from '@tanstack/react-router'
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import {
  type CountsFragment,
  type RuntimeFilter,
  type RuntimeRowFragment,
  type RuntimeSort,
  RuntimesDocument,
} from '@/api/generated/operations'
import { PAGE_SIZE } from '@/api/queries'
import { useRuntimeList } from '@/live/use-runtime-list'
import { strings } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CopyGraphql } from '@/ui/copy'
import { Card } from '@/ui/page'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { Counts } from '@/ui/status'
import { WHOLE } from '@/ui/use-windowed'
import { useRoom } from '@/util/room'
import { type Column, columns } from './columns'
import { RuntimeTable } from './runtime-table'
import type { Selection } from './use-selection'

/** A group that is so near to the window is read. Units: px. */
const NEAR_PX = 1_200

/** What all groups of a page share. */
export type Shared = {
  selection: Selection
  sort: RuntimeSort
  /** Whether the page looks for some of the runtimes only. */
  narrowed: boolean
  onClear: () => void
  /** Whether it is the only group of the page: then all of it can be scrolled through. */
  alone: boolean
}

type RuntimeGroupProps = Shared & {
  label: string
  title: ReactNode
  filter: RuntimeFilter
  /** Columns that would say the same in each row. */
  without: string[]
  /** How many there are in which state; counted in what is loaded unless given. */
  counts?: CountsFragment | undefined
  /** How many there are, as far as is known before they are read. */
  expected: number
  /** The same runtimes alone on a page. */
  own?: LinkProps | undefined
  actions?: ReactNode
  /** What teaches the next step when there is nothing. */
  empty: ReactNode
}

/** Runtimes that have something in common: their counts, and they themselves as they are now. */
export function RuntimeGroup(props: RuntimeGroupProps) {
  const { label, title, filter, sort, without, expected, own, actions, empty, selection, narrowed, onClear, alone } =
    props
  const { ref, near } = useNear<HTMLDivElement>(alone)
  const list = useRuntimeList(filter, sort, near)
  const { query, rows, total, held, showHeld } = list
  const shown = useColumns(without.join(' '))
  const loaded = useMemo(() => countLoaded(rows, query.hasNextPage), [rows, query.hasNextPage])
  const counts = props.counts ?? (query.data && loaded)
  return (
    <div ref={ref}>
      <Card
        label={label}
        title={title}
        beside={counts && <Counts counts={counts} empty={words.noRuntimes} />}
        actions={
          <>
            <CopyGraphql document={RuntimesDocument} variables={{ filter, sort, first: PAGE_SIZE, after: null }} />
            {actions}
          </>
        }
      >
        {held.length > 0 && (
          <div className="sticky top-9 z-10 h-0 text-center">
            <Button small look="solid" onClick={showHeld} className="-translate-y-8 shadow-raised">
              {words.held(held.length)}
            </Button>
          </div>
        )}
        {query.isPending ? (
          <Skeleton label={words.what} rows={Math.min(8, Math.max(1, expected))} />
        ) : query.isError && rows.length === 0 ? (
          <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
        ) : rows.length === 0 && narrowed ? (
          <Empty
            title={strings.noneMatch}
            action={
              <Button small onClick={onClear}>
                {strings.clearFilters}
              </Button>
            }
          />
        ) : rows.length === 0 ? (
          empty
        ) : (
          <RuntimeTable label={words.table(label)} list={list} columns={shown} selection={selection} endless={alone} />
        )}
        {(query.hasNextPage || rows.length > WHOLE) && (
          <div className="sticky bottom-0 flex flex-wrap items-center gap-x-3 gap-y-1 rounded-b-lg border-t border-line bg-surface px-3.5 py-2">
            {query.hasNextPage && (!alone || query.isFetchNextPageError) && (
              <Button small onClick={() => void query.fetchNextPage()} aria-busy={query.isFetchingNextPage}>
                {query.isFetchNextPageError ? strings.retry : strings.showMore}
              </Button>
            )}
            <span className="nums text-muted">{words.loading(rows.length, total)}</span>
            {query.isFetchNextPageError && <span className="text-bad">{strings.couldNotLoad(words.what)}</span>}
            {!alone && own && query.hasNextPage && (
              <Link {...own} className="link">
                {words.onlyThese(total)}
              </Link>
            )}
            {total > WHOLE && <span className="hidden text-faint lg:inline">{words.find}</span>}
          </div>
        )}
      </Card>
    </div>
  )
}

/** Whether something is or was near the window; what is far below need not be read, and what is alone is not far. */
function useNear<Box extends Element>(isAlone: boolean) {
  const ref = useRef<Box>(null)
  const [near, setNear] = useState(isAlone)
  useEffect(() => {
    if (near || !ref.current) return
    const watcher = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && setNear(true), {
      rootMargin: `${NEAR_PX}px 0px`,
    })
    watcher.observe(ref.current)
    return () => watcher.disconnect()
  }, [near])
  return { ref, near }
}

/** The columns that the window has room for, without those that every row would have the same in. */
function useColumns(without: string): Column[] {
  const room = useRoom()
  return useMemo(() => {
    const left = without.split(' ')
    return columns.filter(({ key, from = 0 }) => from <= room && !left.includes(key))
  }, [room, without])
}

/** Counts of the loaded rows; with further pages they would be wrong, so none are shown. */
function countLoaded(rows: RuntimeRowFragment[], more: boolean): CountsFragment | undefined {
  if (more) return undefined
  const count = (status: RuntimeRowFragment['status']) => rows.filter((row) => row.status === status).length
  return { total: rows.length, running: count('RUNNING'), offline: count('OFFLINE'), unknown: count('UNKNOWN') }
}
