import { Fragment, type ReactNode, useId } from 'react'
import { metrics as words } from '@/strings/metrics'
import { TableBox } from '@/ui/page'
import { lazily } from '@/util/lazily'
import { exactTime } from '@/util/time'
import { type Chart, type ChartLine, type Frame, peakOf, summaryOf } from './charts'
import { moment as clockOf, format, UNKNOWN, type Unit } from './format'
import { dashOf } from './paint'
import { usePointed } from './pointed'
import { instant } from './window'
import './metrics.css'

const Plot = lazily(async () => (await import('./plot')).Plot)

export type ChartActions = {
  onZoom: (fromS: number, toS: number) => void
  onMoment: (step: number) => void
  /** The chart whose table is open. */
  table: string | undefined
  onTable: (key: string | undefined) => void
}
type ChartCardProps = ChartActions & { chart: Chart; frame: Frame; at: number | undefined; note?: string | undefined }

/** A chart: what it is in a sentence, its drawing, what the lines are worth, and all of it as a table. */
export function ChartCard({ chart, frame, at, note, onZoom, onMoment, table, onTable }: ChartCardProps) {
  const id = useId()
  const title = words.charts[chart.key]
  const isOpen = table === chart.key
  return (
    <section aria-labelledby={id} className="flex min-w-0 flex-col rounded-lg border border-line bg-surface">
      <header className="px-3.5 pt-2.5">
        <h2 className="text-[13.5px] leading-5">
          <span id={id}>{title}</span>
          {note && <span className="ml-2 text-[12px] font-normal text-faint">{note}</span>}
        </h2>
        <p className="nums min-h-[18px] text-[12px] leading-[18px] text-muted">{summaryOf(chart, frame)}</p>
      </header>
      <div className="h-[176px] min-w-0 px-1">
        <Plot
          chart={chart}
          frame={frame}
          moment={at === undefined ? undefined : frame.middles[at]}
          onZoom={onZoom}
          onMoment={onMoment}
        />
      </div>
      <Legend chart={chart} frame={frame} />
      {chart.undrawn > 0 && <p className="px-3.5 pb-1 text-[12px] text-muted">{words.undrawn(chart.undrawn)}</p>}
      <details
        open={isOpen}
        onToggle={({ currentTarget: { open } }) => open !== isOpen && onTable(open ? chart.key : undefined)}
        className="mt-auto border-t border-line text-[12px] text-muted"
      >
        <summary className="px-3.5 py-1.5 hover:text-ink">
          {words.asTable}
          <span className="sr-only">: {title}</span>
        </summary>
        {isOpen && <Values chart={chart} frame={frame} title={title} onMoment={onMoment} />}
      </details>
    </section>
  )
}

function Marker({ line: { look, filled } }: { line: ChartLine }) {
  const colour = `var(--${look})`
  return (
    <svg width="18" height="8" aria-hidden className="shrink-0">
      {filled && <rect x="0" y="4" width="18" height="4" fill={colour} opacity="0.18" />}
      <line x1="0" y1="4" x2="18" y2="4" stroke={colour} strokeWidth="2" strokeDasharray={dashOf(look).join(' ')} />
    </svg>
  )
}

/** What the lines are worth where one points, and else at most. */
function Legend({ chart: { unit, lines }, frame }: { chart: Chart; frame: Frame }) {
  const pointed = usePointed()
  const begin = pointed === null ? undefined : frame.begins[pointed]
  const worth = ({ values }: ChartLine): ReactNode =>
    format(unit, begin === undefined || pointed === null ? peakOf(values)?.value : values[pointed])
  return (
    <div className="plot-colours nums flex flex-wrap items-center gap-x-4 gap-y-0.5 px-3.5 pb-2 pt-1 text-[12px]">
      <span className="min-w-[4em] text-faint">
        {begin === undefined ? words.atRest : clockOf(begin, frame.toS - frame.fromS)}
      </span>
      {/* biome-ignore lint/a11y/noRedundantRoles: without a box of its own a list is none for some readers */}
      <ul role="list" className="contents">
        {lines.map((line) => (
          <li key={line.name} className="flex min-w-0 items-center gap-1.5">
            <Marker line={line} />
            <span className="truncate text-muted">{line.name}</span>
            <span className="min-w-[4.2em]">{worth(line)}</span>
          </li>
        ))}
      </ul>
      {frame.known.includes(false) && (
        <span className="flex items-center gap-1.5 text-faint">
          <svg width="18" height="10" aria-hidden className="shrink-0">
            <path d="M0 10 10 0M6 10 16 0M12 10 18 4M0 4 4 0" stroke="var(--color-edge)" />
          </svg>
          {words.unknownKey}
        </span>
      )}
    </div>
  )
}

type ValuesProps = { chart: Chart; frame: Frame; title: string; onMoment: (step: number) => void }

/** The same as numbers, each with its moment; the newest first. */
function Values({ chart: { unit, lines }, frame, title, onMoment }: ValuesProps) {
  const name = words.tableOf(title)
  return (
    <div className="max-h-80 overflow-y-auto border-t border-line">
      <TableBox label={name}>
        <table className="grid-table">
          <caption className="sr-only">{name}</caption>
          <thead>
            <tr>
              <th scope="col">{words.time}</th>
              {lines.map((line) => (
                <th key={line.name} scope="col" className="!text-right">
                  {line.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {frame.begins
              .map((begin, at) => (
                <tr key={begin}>
                  <td>
                    <button
                      type="button"
                      className="link"
                      data-tip={exactTime(instant(begin))}
                      aria-label={words.showMoment(exactTime(instant(begin)))}
                      onClick={() => onMoment(at)}
                    >
                      {clockOf(begin, frame.toS - frame.fromS)}
                    </button>
                  </td>
                  <Cells unit={unit} lines={lines} at={at} known={frame.known[at] ?? false} />
                </tr>
              ))
              .toReversed()}
          </tbody>
        </table>
      </TableBox>
    </div>
  )
}

function Cells({ unit, lines, at, known }: { unit: Unit; lines: ChartLine[]; at: number; known: boolean }) {
  if (!known)
    return (
      <td colSpan={lines.length} className="text-right text-faint">
        {words.unknown}
      </td>
    )
  return (
    <Fragment>
      {lines.map(({ name, values }) => (
        <td key={name} className={`nums text-right ${values[at] == null ? 'text-faint' : 'text-ink'}`}>
          {values[at] == null ? UNKNOWN : format(unit, values[at])}
        </td>
      ))}
    </Fragment>
  )
}
