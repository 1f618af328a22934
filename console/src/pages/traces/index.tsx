import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { TracesDocument } from '@/api/generated/telemetry'
import { integrationQuery } from '@/api/queries'
import { TRACES, tracesQuery } from '@/api/trace-queries'
import { strings } from '@/strings/common'
import { missing } from '@/strings/shell'
import { traces as words } from '@/strings/traces'
import { Button, buttonClass } from '@/ui/button'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { lists } from '@/util/cli-lists'
import { serverNow } from '@/util/clock'
import { PATH, to } from '@/util/paths'
import type { PlaceSearch, TracesSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { isNarrow, NO_FILTER, traceFilter } from './filter'
import { TracesFrame } from './frame'
import { TraceTable } from './table'

/** What requests led to, of everything that the viewer may see. */
export function TracesPage() {
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_INSIGHTS" title={words.title} what={words.title}>
      <TracesOf title={words.title} place={{}} />
    </OpenTo>
  )
}

export function IntegrationTracesPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationTraces}` })
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  const name = query.data?.displayName ?? integration
  const place = query.data && { name, permissions: query.data.permissions }
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_INSIGHTS" title={words.of(name)} what={words.title} place={place}>
      <TracesOf title={words.of(name)} early={!query.data} place={{ project, integration }} />
    </OpenTo>
  )
}

/** A trace whose older spans match too comes again on a later page. */
export function once<Listed extends { traceId: string }>(listed: readonly Listed[]): Listed[] {
  const known = new Set<string>()
  return listed.filter(({ traceId }) => !known.has(traceId) && known.add(traceId))
}

function TracesOf({ title, early, place }: { title: string; early?: boolean; place: PlaceSearch }) {
  const search: TracesSearch = useSearch({ strict: false })
  const change = useSearchState<TracesSearch>()
  const [asked, setAsked] = useState(0)
  const key = JSON.stringify([search, place])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the time is counted from when something was asked
  const filter = useMemo(() => traceFilter({ ...search, ...place }, serverNow()), [key, asked])
  const query = useInfiniteQuery({ ...tracesQuery(filter), placeholderData: keepPreviousData })
  const found = once(query.data?.pages.flatMap(({ nodes }) => nodes) ?? [])
  return (
    <TracesFrame
      title={title}
      early={early}
      place={place}
      search={search}
      onAgain={() => setAsked(asked + 1)}
      actions={
        <>
          <CopyCli command={lists.traces({ ...search, ...place })} />
          <CopyGraphql document={TracesDocument} variables={{ filter, first: TRACES }} />
        </>
      }
    >
      <div className="rounded-lg border border-line bg-surface">
        {query.isPending ? (
          <Skeleton label={words.what} rows={8} />
        ) : query.isError && found.length === 0 ? (
          <CouldNotLoad what={words.what} error={query.error} onRetry={() => query.refetch()} />
        ) : found.length > 0 ? (
          <TraceTable found={found} />
        ) : isNarrow(search) ? (
          <Empty
            title={strings.noneMatch}
            action={<Button onClick={() => change(NO_FILTER)}>{strings.clearFilters}</Button>}
          />
        ) : (
          <NothingArrived />
        )}
        {query.hasNextPage && (
          <div className="nums flex items-center gap-3 border-t border-line px-3.5 py-2 text-muted">
            <Button small onClick={() => query.fetchNextPage()} aria-busy={query.isFetchingNextPage}>
              {strings.showMore}
            </Button>
            {words.shown(found.length)}
            {query.isFetchNextPageError && <span className="text-bad">{strings.couldNotLoad(words.what)}</span>}
          </div>
        )}
      </div>
    </TracesFrame>
  )
}

function NothingArrived() {
  const change = useSearchState<TracesSearch>()
  return (
    <Empty
      title={words.emptyTitle}
      action={
        <span className="flex flex-wrap gap-2">
          <Button onClick={() => change({ span: '7d', from: undefined, to: undefined })}>{words.emptyLonger}</Button>
          <Link {...to.addRuntime()} className={buttonClass()}>
            {words.emptyConnect}
          </Link>
        </span>
      }
    >
      {words.emptyText}
    </Empty>
  )
}
