import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { metricStatusesQuery } from '@/api/metrics-queries'
import { metrics as words } from '@/strings/metrics'
import { Choose } from '@/ui/choose'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import type { MetricsSearch } from '@/util/search'
import { type ChartActions, ChartCard } from './chart-card'
import { type Frame, frameOf } from './charts'
import { chartFilter } from './filter'
import { statusChart } from './statuses'
import type { Window } from './window'

type StatusCardProps = Omit<ChartActions, 'onMoment'> & {
  search: MetricsSearch
  window: Window
  /** The time of the other charts: what is known there is known here, though no request came. */
  frame: Frame
  at: number | undefined
  onMoment: (beginS: number, status: string | undefined, codes: string[] | undefined) => void
  onChange: (next: Partial<MetricsSearch>, replace?: boolean) => void
}

/** What was answered, over time: of everything that is chosen, together. */
export function StatusCard({ search, window, frame, at, onMoment, onChange, ...actions }: StatusCardProps) {
  const query = useQuery({
    ...metricStatusesQuery({ filter: chartFilter(search, window), stepS: window.stepS }),
    placeholderData: keepPreviousData,
  })
  // As high as the card that comes: nothing below it moves.
  if (!query.data) {
    return (
      <section aria-label={words.charts.statuses} className="min-h-[291px] rounded-lg border border-line bg-surface">
        {query.isError ? (
          <CouldNotLoad what={words.statuses.what} error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Skeleton label={words.statuses.what} rows={8} />
        )}
      </section>
    )
  }
  const told = frameOf(query.data, query.data.series)
  const elsewhere = new Set(frame.begins.filter((_, step) => frame.known[step]))
  const own = { ...told, known: told.known.map((known, step) => known || elsewhere.has(told.begins[step] ?? 0)) }
  const beginS = at === undefined ? undefined : frame.begins[at]
  const found = beginS === undefined ? -1 : own.begins.indexOf(beginS)
  const chart = statusChart(own, query.data, search.classes ?? false)
  const codesOf = (status: string | undefined) => chart.lines.find(({ name }) => name === status)?.statuses
  return (
    <ChartCard
      {...actions}
      chart={chart}
      frame={own}
      at={found < 0 ? undefined : found}
      onMoment={(step, status) => onMoment(own.begins[step] ?? 0, status, codesOf(status))}
      actions={
        <Choose
          label={words.statuses.by}
          value={search.classes ? 'classes' : 'codes'}
          onChange={(by) =>
            onChange({ classes: by === 'classes' ? true : undefined, status: undefined, codes: undefined }, true)
          }
          choices={[['codes', words.statuses.codes] as const, ['classes', words.statuses.classes] as const]}
        />
      }
    />
  )
}
