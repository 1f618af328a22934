import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { MetricDimension, MetricStepsQuery } from '@/api/generated/telemetry'
import { metricStepsQuery } from '@/api/metrics-queries'
import { metrics as words } from '@/strings/metrics'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import type { MetricsSearch } from '@/util/search'
import { ChartCard } from './chart-card'
import { frameOf, trafficCharts } from './charts'
import { Nothing } from './empty'
import { chartFilter } from './filter'
import { format, formatCount } from './format'
import type { Shared } from './index'
import { MomentBar } from './moment-bar'
import type { Row } from './rows'
import { StatusCard } from './status-card'
import { ResourceTable } from './table'
import { instant } from './window'

const DIMENSION = {
  environment: 'ENVIRONMENT',
  runtime: 'RUNTIME',
  integration: 'INTEGRATION',
} as const satisfies Record<NonNullable<MetricsSearch['by']>, MetricDimension>

type TrafficProps = Shared & {
  rows: Row[]
  left: number
  table: UseQueryResult<unknown>
  onAlone: (row: Row | undefined) => void
}

/** Requests that are answered, or calls that are made. */
export function Traffic({ search, place, window, filtered, rows, left, table, ...actions }: TrafficProps) {
  const { onChange, onClear, onZoom, onAlone } = actions
  const [picked, setPicked] = useState(false)
  const query = useQuery({
    ...metricStepsQuery({
      filter: chartFilter(search, window),
      by: search.by ? [DIMENSION[search.by]] : null,
      stepS: window.stepS,
    }),
    placeholderData: keepPreviousData,
  })
  if (query.isPending) return <Skeleton label={words.what} rows={10} />
  if (query.isError && !query.data)
    return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  const answer = query.data
  if (!answer || (answer.series.length === 0 && rows.length === 0))
    return (
      <Nothing
        view={search.view}
        filtered={filtered}
        onClear={onClear}
        onWider={
          search.from || !['1d', '7d', '30d'].includes(search.span ?? '1h')
            ? () => onChange({ span: '1d', from: undefined, to: undefined, at: undefined })
            : undefined
        }
      />
    )
  const frame = frameOf(answer, answer.series)
  const charts = trafficCharts(frame, answer, search)
  const found = search.at ? frame.begins.indexOf(Date.parse(search.at) / 1_000) : -1
  const at = found < 0 ? undefined : found
  return (
    <div aria-busy={query.isPlaceholderData} className={at === undefined ? '' : 'pb-24'}>
      <Headline answer={answer} search={search} />
      {query.isError && <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />}
      <p className="sr-only">{words.chartHint}</p>
      <div className={`mb-4 grid gap-4 lg:grid-cols-2 ${search.table ? 'items-start' : ''}`} data-charts>
        {charts.map((chart) => (
          <ChartCard
            key={chart.key}
            chart={chart}
            frame={frame}
            at={at}
            note={search.by && chart.unit === 'time' ? (search.share ?? 'p95') : undefined}
            onZoom={onZoom}
            onMoment={(step) => {
              setPicked(true)
              onChange({ at: instant(frame.begins[step] ?? 0), status: undefined, codes: undefined }, true)
            }}
            table={search.table}
            onTable={(key) => onChange({ table: key }, true)}
          />
        ))}
        <div className="min-w-0 lg:col-span-2">
          <StatusCard
            search={search}
            window={window}
            frame={frame}
            at={at}
            onZoom={onZoom}
            onMoment={(beginS, status, codes) => {
              setPicked(true)
              onChange({ at: instant(beginS), status, codes: isOne(codes, status) ? undefined : codes }, true)
            }}
            onChange={onChange}
            table={search.table}
            onTable={(key) => onChange({ table: key }, true)}
          />
        </div>
      </div>
      {table.isError && rows.length === 0 ? (
        <CouldNotLoad what={words.services} error={table.error} onRetry={() => void table.refetch()} />
      ) : table.isPending ? (
        <Skeleton label={words.services} />
      ) : (
        <ResourceTable rows={rows} left={left} search={search} onChange={onChange} onAlone={onAlone} />
      )}
      {at !== undefined && (
        <MomentBar
          at={at}
          picked={picked}
          charts={charts}
          frame={frame}
          search={search}
          place={place}
          onZoom={onZoom}
          onClose={() => onChange({ at: undefined, status: undefined, codes: undefined }, true)}
        />
      )}
    </div>
  )
}

const isOne = (codes: string[] | undefined, status: string | undefined) => codes?.length === 1 && codes[0] === status

type Total = MetricStepsQuery['metrics']['series'][number]['total']

/** The whole time in four numbers; where parts are told apart their percentiles cannot be added up, and are left out. */
function Headline({ answer: { series }, search }: { answer: MetricStepsQuery['metrics']; search: MetricsSearch }) {
  const totals = series.map(({ total }) => total)
  const sum = (read: (total: Total) => number | undefined) => {
    const known = totals.map(read).filter((value) => value !== undefined)
    return known.length > 0 ? known.reduce((all, value) => all + value, 0) : null
  }
  const count = sum(({ all }) => all?.count)
  const failed = sum((total) => total.failed?.count)
  const only = search.by ? undefined : totals[0]?.all
  const share = (of: number) => only?.percentiles.find((each) => Math.abs(each.of - of) < 1e-9)?.value
  const { headline } = words
  const facts: [string, string, string?][] = [
    [search.view === 'calls' ? headline.calls : headline.count, formatCount(count)],
    [
      headline.rate,
      format(
        'rate',
        sum(({ all }) => all?.rate),
      ),
    ],
    [
      headline.errors,
      format('share', count ? (failed ?? 0) / count : null),
      failed ? words.failedOf(formatCount(failed)) : undefined,
    ],
    ...(search.by
      ? []
      : [
          [headline.p50, format('time', share(0.5))] as [string, string],
          [headline.p95, format('time', share(0.95))] as [string, string],
          [headline.p99, format('time', share(0.99))] as [string, string],
        ]),
  ]
  return (
    <dl
      aria-label={words.headlineLabel}
      className="mb-4 grid grid-cols-[repeat(auto-fit,minmax(104px,1fr))] overflow-hidden rounded-lg border border-line bg-surface"
    >
      {facts.map(([name, value, note]) => (
        <div key={name} className="nums -mb-px border-b border-line px-3.5 py-2">
          <dt className="text-[12px] text-muted">{name}</dt>
          <dd className="flex flex-wrap items-baseline gap-x-2">
            <span className="text-[17px] leading-6 tracking-[-0.01em]">{value}</span>
            {note && <span className="text-[12px] text-bad">{note}</span>}
          </dd>
        </div>
      ))}
    </dl>
  )
}
