import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useParams, useSearch } from '@tanstack/react-router'
import { TriangleAlert } from 'lucide-react'
import { useMemo, useState } from 'react'
import { ServiceMapDocument } from '@/api/generated/telemetry'
import { integrationQuery } from '@/api/queries'
import { serviceMapQuery } from '@/api/trace-queries'
import { missing } from '@/strings/shell'
import { traces as words } from '@/strings/traces'
import { Button } from '@/ui/button'
import { OpenTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { serverNow } from '@/util/clock'
import { PATH } from '@/util/paths'
import type { PlaceSearch, TracesSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { lengthS, traceScope } from './filter'
import { TracesFrame } from './frame'
import { Drawing } from './map-drawing'
import { CallTable, ServiceTable } from './map-tables'

const { map: said } = words

/** Who calls whom, of everything that the viewer may see. */
export function TraceMapPage() {
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_INSIGHTS" title={said.title} what={words.title}>
      <MapOf title={said.title} place={{}} />
    </OpenTo>
  )
}

export function IntegrationTraceMapPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationTraceMap}` })
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  const name = query.data?.displayName ?? integration
  const place = query.data && { name, permissions: query.data.permissions }
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_INSIGHTS" title={said.of(name)} what={words.title} place={place}>
      <MapOf title={said.of(name)} early={!query.data} place={{ project, integration }} />
    </OpenTo>
  )
}

function MapOf({ title, early, place }: { title: string; early?: boolean; place: PlaceSearch }) {
  const search: TracesSearch = useSearch({ strict: false })
  const change = useSearchState<TracesSearch>()
  const [asked, setAsked] = useState(0)
  const { span, from, to, project, integration, environment } = { ...search, ...place }
  const key = JSON.stringify([span, from, to, project, integration, environment])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the time is counted from when something was asked
  const [scope, seconds] = useMemo(() => {
    const now = serverNow()
    const of = traceScope({ span, from, to, project, integration, environment }, now)
    return [of, lengthS(of, now)] as const
  }, [key, asked])
  const query = useQuery({ ...serviceMapQuery(scope), placeholderData: keepPreviousData })
  const found = query.data
  const view = found && { ...found, seconds: found.complete ? seconds : undefined, scope }
  return (
    <TracesFrame
      title={title}
      early={early}
      place={place}
      search={search}
      map
      onAgain={() => setAsked(asked + 1)}
      actions={<CopyGraphql document={ServiceMapDocument} variables={{ scope }} />}
    >
      {!view ? (
        <div className="rounded-lg border border-line bg-surface">
          {query.isError ? (
            <CouldNotLoad what={said.what} error={query.error} onRetry={() => query.refetch()} />
          ) : (
            <Skeleton label={said.what} rows={8} />
          )}
        </div>
      ) : view.nodes.length === 0 ? (
        <div className="rounded-lg border border-line bg-surface">
          <Empty
            title={said.emptyTitle}
            action={
              <Button onClick={() => change({ span: '7d', from: undefined, to: undefined })}>
                {words.emptyLonger}
              </Button>
            }
          >
            {said.emptyText}
          </Empty>
        </div>
      ) : (
        <>
          {view.complete ? (
            <p className="mb-2 text-[12px] text-muted">{said.made(view.spansRead)}</p>
          ) : (
            <p role="status" className="mb-3 flex items-start gap-2 rounded-lg bg-warn-soft px-3.5 py-2 text-warn">
              <TriangleAlert size={14} className="mt-0.5 shrink-0" aria-hidden />
              {said.incomplete(view.spansRead)}
            </p>
          )}
          <Drawing map={view} search={search} />
          <CallTable map={view} search={search} />
          <ServiceTable map={view} search={search} />
        </>
      )}
    </TracesFrame>
  )
}
