import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ArrowRight } from 'lucide-react'
import { useState } from 'react'
import { processStepsQuery } from '@/api/metrics-queries'
import { metrics as words } from '@/strings/metrics'
import { Card, TableBox } from '@/ui/page'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { to } from '@/util/paths'
import { ChartCard } from './chart-card'
import { type Processes as Answer, type Chart, frameOf, nameOf, PROCESS, type ProcessKey, processChart } from './charts'
import { Nothing } from './empty'
import { tableFilter } from './filter'
import { format } from './format'
import type { Shared } from './index'
import { MomentBar } from './moment-bar'
import { Amount } from './table'
import { instant } from './window'

const KEYS = Object.keys(PROCESS) as ProcessKey[]

/** CPU, memory, lag of the event loop and pauses of the garbage collector, a line for each runtime. */
export function Processes({ search, place, window, filtered, onChange, onClear, onZoom }: Shared) {
  const [picked, setPicked] = useState(false)
  const filter = tableFilter(search, window)
  const names = KEYS.map((key) => PROCESS[key].name)
  const query = useQuery({ ...processStepsQuery(names, filter, window.stepS), placeholderData: keepPreviousData })
  if (query.isPending) return <Skeleton label={words.what} rows={10} />
  const answers = query.data
  const [first] = answers ?? []
  if (!answers || !first)
    return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  const named = new Map(
    answers.flatMap(({ series }) => series.flatMap((each) => (each.key[0] ? [[each.key[0], each] as const] : []))),
  )
  if (named.size === 0) return <Nothing view="processes" filtered={filtered} onClear={onClear} />
  const order = [...named.keys()].toSorted((a, b) => labelOf(named.get(a)).localeCompare(labelOf(named.get(b)), 'en'))
  const frame = frameOf(
    first,
    answers.flatMap(({ series }) => series),
  )
  const charts: Chart[] = KEYS.flatMap((key, number) => {
    const answer = answers[number]
    return answer ? [processChart(frame, key, answer, order)] : []
  })
  const found = search.at ? frame.begins.indexOf(Date.parse(search.at) / 1_000) : -1
  const at = found < 0 ? undefined : found
  return (
    <div aria-busy={query.isPlaceholderData} className={at === undefined ? '' : 'pb-24'}>
      <div className={`mb-4 grid gap-4 lg:grid-cols-2 ${search.table ? 'items-start' : ''}`} data-charts>
        {charts.map((chart) => (
          <ChartCard
            key={chart.key}
            chart={chart}
            frame={frame}
            at={at}
            note={words.chartNotes[chart.key as ProcessKey]}
            onZoom={onZoom}
            onMoment={(step) => {
              setPicked(true)
              onChange({ at: instant(frame.begins[step] ?? 0) }, true)
            }}
            table={search.table}
            onTable={(key) => onChange({ table: key }, true)}
          />
        ))}
      </div>
      <ProcessTable
        answers={answers}
        order={order}
        alone={search.runtime}
        onAlone={(runtime) => onChange({ runtime })}
      />
      {at !== undefined && (
        <MomentBar
          at={at}
          picked={picked}
          charts={charts}
          frame={frame}
          search={search}
          place={place}
          onZoom={onZoom}
          onClose={() => onChange({ at: undefined }, true)}
        />
      )}
    </div>
  )
}

type Series = Answer['series'][number]
const labelOf = (series: Series | undefined) => (series ? nameOf(series, 'runtime') : '')

type ProcessTableProps = {
  answers: Answer[]
  order: string[]
  alone: string | undefined
  onAlone: (runtime: string | undefined) => void
}

/** Every process with its figures over the whole time, those too that the charts have no room for. */
function ProcessTable({ answers, order, alone, onAlone }: ProcessTableProps) {
  const of = (key: ProcessKey, id: string) => answers[KEYS.indexOf(key)]?.series.find((each) => each.key[0] === id)
  return (
    <Card title={words.processesTable} label={words.processesTable}>
      <TableBox label={words.processesTable}>
        <table className="grid-table">
          <thead>
            <tr>
              {(['runtime', 'place', 'environment'] as const).map((column) => (
                <th key={column} scope="col">
                  {words.columns[column]}
                </th>
              ))}
              {(['cpu', 'cpuMax', 'memory', 'lag', 'gc'] as const).map((column) => (
                <th key={column} scope="col" className="!text-right">
                  {words.columns[column]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {order.map((id) => {
              const any = KEYS.map((key) => of(key, id)).find(Boolean)
              const worth = (key: ProcessKey, which: 'mean' | 'max' = 'max') =>
                format(PROCESS[key].unit, of(key, id)?.total.all?.[which])
              return (
                <tr key={id}>
                  <td>
                    <span className="inline-flex items-center gap-1.5">
                      <button
                        type="button"
                        data-row
                        aria-pressed={alone === id}
                        data-tip={alone === id ? words.widen(labelOf(any)) : words.narrow(labelOf(any))}
                        onClick={() => onAlone(alone === id ? undefined : id)}
                        className="mono link"
                      >
                        {labelOf(any)}
                      </button>
                      {any?.runtime && (
                        <Link
                          {...to.runtime(any.runtime.id)}
                          aria-label={words.openRuntime(labelOf(any))}
                          data-tip={words.openRuntime(labelOf(any))}
                          className="text-faint hover:text-ink"
                        >
                          <ArrowRight size={13} aria-hidden />
                        </Link>
                      )}
                    </span>
                  </td>
                  <td className="text-muted">{any?.integration?.displayName}</td>
                  <td className="text-muted">{any?.environment?.displayName}</td>
                  <Amount>{worth('cpu', 'mean')}</Amount>
                  <Amount>{worth('cpu')}</Amount>
                  <Amount>{worth('memory')}</Amount>
                  <Amount>{worth('lag')}</Amount>
                  <Amount>{worth('gc')}</Amount>
                </tr>
              )
            })}
          </tbody>
        </table>
      </TableBox>
    </Card>
  )
}
