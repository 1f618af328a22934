import { Logs, Waypoints, X, ZoomIn } from 'lucide-react'
import { useEffect, useRef } from 'react'
import { metrics as words } from '@/strings/metrics'
import { Button } from '@/ui/button'
import { LinkButton } from '@/ui/link-button'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { MetricsSearch, PlaceSearch } from '@/util/search'
import { exactTime } from '@/util/time'
import type { Chart, Frame } from './charts'
import { logsThen, tracesThen } from './filter'
import { moment as clockOf, format } from './format'
import { instant } from './window'

type MomentBarProps = {
  at: number
  /** Whether somebody chose it just now: then the way to its logs is next. */
  picked: boolean
  charts: Chart[]
  frame: Frame
  search: MetricsSearch
  place: PlaceSearch
  onZoom: (fromS: number, toS: number) => void
  onClose: () => void
}

/** Steps around a moment that are shown when it is zoomed to. */
const AROUND = 5

/** What was at one moment, and the way to its logs; it covers nothing that one points at and moves nothing. */
export function MomentBar({ at, picked, charts, frame, search, place, onZoom, onClose }: MomentBarProps) {
  const noLogs = useBlocked()('OBSERVABILITY_MGT_VIEW_LOGS')
  const way = useRef<HTMLElement>(null)
  const beginS = frame.begins[at]
  useEffect(() => {
    if (picked && beginS !== undefined)
      way.current?.querySelector<HTMLElement>('a, button')?.focus({ preventScroll: true })
  }, [picked, beginS])
  if (beginS === undefined) return null
  const endS = beginS + frame.stepS
  const lengthS = frame.toS - frame.fromS
  const { project, integration } = place
  const logs = logsThen({ ...search, ...place }, beginS, endS)
  const traces = tracesThen({ ...search, ...place }, beginS, endS)
  const narrower = { project: undefined, integration: undefined }
  const isOne = project !== undefined && integration !== undefined
  const toLogs = isOne ? to.integrationLogs(project, integration, { ...logs, ...narrower }) : to.logs(logs)
  const toTraces = isOne ? to.integrationTraces(project, integration, { ...traces, ...narrower }) : to.traces(traces)
  const worth = charts.flatMap(({ key, unit, lines }) => {
    const shown = lines.find(({ values }) => values[at] != null)
    return shown
      ? [`${words.charts[key]} ${lines.length > 1 ? `${shown.name} ` : ''}${format(unit, shown.values[at])}`]
      : []
  })
  return (
    <section
      ref={way}
      aria-label={words.moment}
      className="fixed inset-x-3 bottom-3 z-20 mx-auto flex max-w-max flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-edge bg-raised py-2 pl-3.5 pr-2 shadow-raised"
    >
      <div className="nums min-w-0">
        <p className="font-medium" data-tip={exactTime(instant(beginS))}>
          {clockOf(beginS, lengthS)} – {clockOf(endS, lengthS)}
          {search.status && <span className="ml-2">{search.status}</span>}
        </p>
        <p className="text-[12px] text-muted">{worth.length > 0 ? worth.join(' · ') : words.unknownKey}</p>
      </div>
      <span className="flex flex-wrap items-center gap-2">
        <LinkButton
          link={toLogs}
          look="solid"
          blocked={noLogs}
          tip={search.status ? words.logsOf(search.status) : words.logsTip}
        >
          <Logs size={14} aria-hidden />
          {words.logsThen}
        </LinkButton>
        <LinkButton link={toTraces} tip={search.status ? words.tracesOf(search.status) : words.tracesTip}>
          <Waypoints size={14} aria-hidden />
          {words.tracesThen}
        </LinkButton>
        <Button onClick={() => onZoom(beginS - AROUND * frame.stepS, endS + AROUND * frame.stepS)}>
          <ZoomIn size={14} aria-hidden />
          {words.zoomThen}
        </Button>
        <Button look="quiet" onClick={onClose} aria-label={words.leaveMoment}>
          <X size={14} aria-hidden />
        </Button>
      </span>
    </section>
  )
}
