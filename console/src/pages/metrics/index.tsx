import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { TriangleAlert } from 'lucide-react'
import { MetricTableDocument } from '@/api/generated/telemetry'
import { metricTableQuery, telemetryStoreQuery } from '@/api/metrics-queries'
import { integrationQuery } from '@/api/queries'
import { metrics as words } from '@/strings/metrics'
import { missing } from '@/strings/shell'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { PageHead } from '@/ui/page'
import { Said } from '@/ui/said'
import { Missing } from '@/ui/states'
import { word } from '@/util/cli'
import { PATH } from '@/util/paths'
import type { MetricsSearch, PlaceSearch } from '@/util/search'
import { exactTime } from '@/util/time'
import { useSearchState } from '@/util/use-search-state'
import { nameOf, PROCESS } from './charts'
import { chartFilter, commandOf, runtimesFilter, tableFilter } from './filter'
import { Filters } from './filters'
import { moment as clockOf, length } from './format'
import { Processes } from './processes'
import { choicesOf, type Row, rowsOf } from './rows'
import { Traffic } from './traffic'
import { useWindow } from './use-window'
import { instant, type Window, zoomed } from './window'

/** What the programs did, of everything that the viewer may see. */
export function MetricsPage() {
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_INSIGHTS" title={words.title} what={words.title}>
      <MetricsOf title={words.title} place={{}} picks />
    </OpenTo>
  )
}

export function IntegrationMetricsPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationMetrics}` })
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  const name = query.data?.displayName ?? integration
  const place = query.data && { name, permissions: query.data.permissions }
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_INSIGHTS" title={words.of(name)} what={words.title} place={place}>
      <MetricsOf title={words.of(name)} early={!query.data} place={{ project, integration }} />
    </OpenTo>
  )
}

const NOTHING_CHOSEN = {
  environment: undefined,
  runtime: undefined,
  service: undefined,
  resource: undefined,
  search: undefined,
  at: undefined,
  status: undefined,
  codes: undefined,
}

type OfProps = { title: string; early?: boolean; place: PlaceSearch; picks?: boolean }

function MetricsOf({ title, early, place, picks = false }: OfProps) {
  const own: MetricsSearch = useSearch({ strict: false })
  const change = useSearchState<MetricsSearch>()
  const search = { ...own, ...place }
  const window = useWindow(search)
  const isTraffic = search.view !== 'processes'
  const tellsIntegrations = isTraffic && !search.integration
  const table = useQuery({
    ...metricTableQuery({
      filter: tableFilter(search, window),
      name: null,
      by: tellsIntegrations ? ['INTEGRATION', 'SERVICE', 'RESOURCE'] : ['SERVICE', 'RESOURCE'],
    }),
    enabled: isTraffic,
    placeholderData: keepPreviousData,
  })
  const name = isTraffic ? null : PROCESS.memory.name
  const runtimes = useQuery({
    ...metricTableQuery({ filter: runtimesFilter(search, window), name, by: ['RUNTIME'] }),
    placeholderData: keepPreviousData,
  })
  const rows = rowsOf(table.data?.series ?? [])
  const clear = () => change(picks ? { ...NOTHING_CHOSEN, project: undefined, integration: undefined } : NOTHING_CHOSEN)
  const chosen = [own.environment, own.runtime, own.service, own.resource, picks && (own.project || own.integration)]
  const filtered = chosen.some(Boolean)
  const zoom = (fromS: number, toS: number) =>
    change({ ...zoomed(fromS, toS), at: undefined, status: undefined, codes: undefined })
  const alone = (row: Row | undefined) =>
    change({
      service: row?.service ?? undefined,
      resource: row?.name ?? undefined,
      ...(picks && row?.project ? { project: row.project, integration: row.integration } : {}),
    })
  const shared = { search, place, window, filtered, onChange: change, onClear: clear, onZoom: zoom }
  return (
    <>
      <PageHead
        title={title}
        early={early}
        actions={
          <>
            <CopyCli command={commandOf(search, window).map(word).join(' ')} />
            <CopyGraphql
              document={MetricTableDocument}
              variables={{ filter: chartFilter(search, window), name, by: ['SERVICE', 'RESOURCE'] as const }}
            />
          </>
        }
      />
      <div className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line">
        <Views view={search.view} />
        <Freshness window={window} />
      </div>
      <StoreState />
      <Filters
        {...choicesOf(rows, search.service)}
        search={search}
        window={window}
        onChange={change}
        onClear={clear}
        filtered={filtered}
        picks={picks}
        runtimes={(runtimes.data?.series ?? []).flatMap((each) =>
          each.key[0] ? [[each.key[0], nameOf(each, 'runtime')] as const] : [],
        )}
      />
      {isTraffic ? (
        <Traffic {...shared} rows={rows} left={table.data?.left ?? 0} table={table} onAlone={alone} />
      ) : (
        <Processes {...shared} />
      )}
    </>
  )
}

export type Shared = {
  search: MetricsSearch
  place: PlaceSearch
  window: Window
  filtered: boolean
  onChange: (next: Partial<MetricsSearch>, replace?: boolean) => void
  onClear: () => void
  onZoom: (fromS: number, toS: number) => void
}

const VIEWS = [undefined, 'calls', 'processes'] as const

function Views({ view }: { view: MetricsSearch['view'] }) {
  return (
    <nav aria-label={words.viewLabel} className="-mb-px flex gap-4 overflow-x-auto">
      {VIEWS.map((each) => (
        <Link
          key={each ?? 'requests'}
          to="."
          search={(before: object) => ({
            ...before,
            view: each,
            service: undefined,
            resource: undefined,
            at: undefined,
            status: undefined,
            codes: undefined,
          })}
          // The router's own mark looks at the whole search; here the view alone says which one it is.
          activeProps={{}}
          aria-current={each === view ? 'page' : false}
          className={`whitespace-nowrap border-b-2 pb-1.5 ${each === view ? 'border-ink font-medium text-ink' : 'border-transparent text-muted hover:text-ink'}`}
        >
          {words.views[each ?? 'requests']}
        </Link>
      ))}
    </nav>
  )
}

function Freshness({ window: { open, fromS, toS, stepS } }: { window: Window }) {
  const lengthS = toS - fromS
  return (
    <p
      className="nums ml-auto pb-1.5 text-[12px] text-muted"
      data-tip={open ? words.upToTip : `${exactTime(instant(fromS))} – ${exactTime(instant(toS))}`}
    >
      {open ? words.upTo(clockOf(toS, lengthS)) : words.fixed} {words.stepLength(length(stepS))}
    </p>
  )
}

/** A store that is not well loses figures: said where gaps are seen. */
function StoreState() {
  const { data } = useQuery(telemetryStoreQuery)
  if (!data?.degraded) return null
  return (
    <p role="status" className="mb-3 flex items-start gap-2 rounded-lg border border-line bg-warn-soft px-3.5 py-2">
      <TriangleAlert size={15} className="mt-0.5 shrink-0 text-warn" aria-hidden />
      <span className="min-w-0">
        <strong className="font-semibold">{words.degraded}</strong> <Said text={data.degraded} />
      </span>
    </p>
  )
}
