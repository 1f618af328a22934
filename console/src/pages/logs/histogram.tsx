import { type PointerEvent, useState } from 'react'
import type { LogLevelsQuery, Severity } from '@/api/generated/telemetry'
import { logs as words } from '@/strings/logs'
import { SEVERITIES } from '@/util/choices'
import { clockTime, exactTime } from '@/util/time'
import { barAt } from './zoom'

type Levels = LogLevelsQuery['logLevels']
const SHADES: Record<Severity, string> = {
  FATAL: 'bg-bad-solid',
  ERROR: 'bg-bad',
  WARN: 'bg-warn',
  INFO: 'bg-faint',
  DEBUG: 'bg-edge',
  TRACE: 'bg-edge',
}
const DAY_S = 86_400

type HistogramProps = { levels: Levels; onZoom: (from: string, to: string) => void }

/** How many lines of each level were said when; a bar leads to its time, and some that one drags over to theirs. */
export function Histogram({ levels: { steps, stepS }, onZoom }: HistogramProps) {
  const bars = steps.map(({ at, levels }) => {
    const of = Object.fromEntries(levels.map(({ level, count }) => [level, count])) as Partial<Record<Severity, number>>
    return { at, of, total: levels.reduce((sum, { count }) => sum + count, 0) }
  })
  const most = Math.max(1, ...bars.map(({ total }) => total))
  const end = (at: string) => new Date(Date.parse(at) + stepS * 1000).toISOString()
  const short = (at: string) => (stepS >= DAY_S ? exactTime(at).slice(0, 10) : clockTime(Date.parse(at)))
  const until = bars.at(-1)
  const [dragged, setDragged] = useState<{ from: number; to: number }>()
  const under = ({ clientX, currentTarget }: PointerEvent) => {
    const { left, width } = currentTarget.getBoundingClientRect()
    return barAt(clientX, left, width, bars.length)
  }
  const [first, last] = dragged ? [Math.min(dragged.from, dragged.to), Math.max(dragged.from, dragged.to)] : [-1, -2]
  const release = () => {
    const [begin, ending] = [bars[first], bars[last]]
    setDragged(undefined)
    // One bar alone is pressed as the button that it is.
    if (begin && ending && first !== last) onZoom(begin.at, end(ending.at))
  }
  return (
    <section aria-label={words.histogram} className="mb-3 rounded-lg border border-line bg-surface px-3.5 pb-2 pt-3">
      <p className="sr-only">{words.dragHint}</p>
      {/* What is dragged over is chosen by pointer; by keyboard the buttons within lead to each bar's time. */}
      <div
        className="flex h-16 touch-pan-y select-none items-end gap-px"
        data-bars
        onPointerDown={(event) => {
          if (event.button !== 0) return
          const at = under(event)
          setDragged({ from: at, to: at })
        }}
        onPointerMove={(event) => dragged && setDragged({ ...dragged, to: under(event) })}
        onPointerUp={release}
        onPointerLeave={() => setDragged(undefined)}
        onPointerCancel={() => setDragged(undefined)}
      >
        {bars.map(({ at, of, total }, number) => (
          <button
            key={at}
            type="button"
            disabled={total === 0}
            aria-label={words.zoom(exactTime(at), exactTime(end(at)), total)}
            data-tip={`${short(at)} · ${total}`}
            onClick={() => onZoom(at, end(at))}
            className={`flex h-full min-w-0 flex-1 flex-col justify-end hover:bg-hover ${first < last && number >= first && number <= last ? 'bg-hover' : ''}`}
          >
            {SEVERITIES.toReversed().map((level) => (
              <span
                key={level}
                className={`block w-full ${SHADES[level]}`}
                style={{ height: `${((of[level] ?? 0) / most) * 100}%` }}
              />
            ))}
          </button>
        ))}
      </div>
      <div className="nums flex justify-between pt-1 text-[11px] text-faint">
        {bars[0] && <span>{short(bars[0].at)}</span>}
        {until && <span>{short(stepS >= DAY_S ? until.at : end(until.at))}</span>}
      </div>
      <details className="text-[12px] text-muted">
        <summary>{words.histogramTable}</summary>
        <table className="grid-table">
          <thead>
            <tr>
              <th scope="col">{words.columns.at}</th>
              {SEVERITIES.map((level) => (
                <th key={level} scope="col">
                  {words.levels[level]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bars
              .filter(({ total }) => total > 0)
              .map(({ at, of }) => (
                <tr key={at}>
                  <td>{exactTime(at)}</td>
                  {SEVERITIES.map((level) => (
                    <td key={level} className="nums">
                      {of[level] ?? 0}
                    </td>
                  ))}
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </section>
  )
}
