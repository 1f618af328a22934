import { ChevronDown, ChevronRight, CircleX, Clock, Target, Unlink } from 'lucide-react'
import { memo } from 'react'
import { traces as words } from '@/strings/traces'
import { barOf, formatMs } from './axis'
import type { Doubt, Row } from './tree'

export const ROW_HEIGHT = 26
/** Operation, time, length; the same for the head and the rows. */
export const columns =
  'grid grid-cols-[minmax(0,56%)_minmax(0,1fr)_76px] sm:grid-cols-[minmax(0,40%)_minmax(0,1fr)_88px]'

const { one } = words
const STEP_PX = 14
/** Deeper rows are not moved any further: their names would have no room. */
const DEPTH_MAX = 14
const DOUBTS: Record<Doubt, typeof Unlink> = { orphan: Unlink, loop: Unlink, skew: Clock }

/** Stripes: what failed is told by its pattern and its mark, not by its colour alone. */
export const stripes = {
  backgroundImage:
    'repeating-linear-gradient(135deg, transparent 0 3px, color-mix(in srgb, var(--color-surface) 55%, transparent) 3px 5px)',
}

type RowProps = {
  id: string
  row: Row
  top: number
  durationMs: number
  marks: number[]
  isFolded: boolean
  isActive: boolean
  isChosen: boolean
  onFold: () => void
  onOpen: () => void
}

/** What the drawing of a row shows, for those who do not see it. */
export function drawnAs({ span, doubts, origin }: Row): string {
  const { marks } = one
  return [
    one.after(formatMs(span.offsetMs ?? 0)),
    ...(span.failed ? [origin ? marks.origin : marks.failed] : []),
    ...doubts.map((doubt) => marks[doubt]),
  ].join(', ')
}

export const WaterfallRow = memo(Drawn, (a, b) =>
  (Object.keys(b) as (keyof RowProps)[]).every((key) => typeof b[key] === 'function' || a[key] === b[key]),
)

function Drawn({ id, row, top, durationMs, marks, isFolded, isActive, isChosen, onFold, onOpen }: RowProps) {
  const { span, depth } = row
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/useFocusableInteractive: the tree keeps the focus and has the keys
    <div
      role="treeitem"
      id={id}
      aria-level={depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-expanded={row.children ? !isFolded : undefined}
      aria-selected={isChosen}
      onClick={onOpen}
      className={`${columns} absolute inset-x-0 cursor-pointer items-center hover:bg-hover ${isChosen ? 'bg-fresh' : ''} ${isActive ? 'group-focus-visible:bg-hover group-focus-visible:shadow-[inset_3px_0_0_var(--color-focus)]' : ''}`}
      style={{ top, height: ROW_HEIGHT }}
    >
      <span
        className="flex min-w-0 items-center gap-1.5 pr-2"
        style={{ paddingLeft: 8 + Math.min(depth, DEPTH_MAX) * STEP_PX }}
      >
        <Fold row={row} isFolded={isFolded} onFold={onFold} />
        {span.failed && <Failure origin={row.origin} />}
        <span data-operation className={`truncate ${span.failed ? 'text-bad' : ''} ${row.origin ? 'font-medium' : ''}`}>
          {span.name || words.unnamed}
        </span>
        {row.doubts.map((doubt) => {
          const Icon = DOUBTS[doubt]
          return (
            <span key={doubt} className="shrink-0 text-warn" data-tip={one.marks[doubt]}>
              <Icon size={12} aria-hidden />
            </span>
          )
        })}
        {isFolded && (
          <span className="nums shrink-0 rounded bg-sunken px-1 text-[11px] text-muted">{one.hidden(row.below)}</span>
        )}
        <span className="min-w-0 flex-1 truncate text-[12px] text-faint max-sm:hidden">{span.service}</span>
      </span>
      <TimeBar row={row} durationMs={durationMs} marks={marks} />
      <span className={`nums truncate pl-2 pr-3.5 text-right text-[12px] ${span.failed ? 'text-bad' : 'text-muted'}`}>
        {formatMs(span.durationMs)}
      </span>
    </div>
  )
}

function Fold({ row, isFolded, onFold }: Pick<RowProps, 'row' | 'isFolded' | 'onFold'>) {
  if (row.children === 0) return <span className="size-4 shrink-0" aria-hidden />
  const Icon = isFolded ? ChevronRight : ChevronDown
  const name = row.span.name || words.unnamed
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions lint/a11y/useKeyWithClickEvents: for pointers alone; the tree has the arrow keys
    <span
      data-fold
      data-tip={isFolded ? one.unfold(name) : one.fold(name)}
      onClick={(event) => {
        event.stopPropagation()
        onFold()
      }}
      className="grid size-4 shrink-0 place-items-center rounded text-faint hover:bg-line hover:text-ink"
    >
      <Icon size={12} aria-hidden />
    </span>
  )
}

/** A filled mark where a failure began, an open one where it was passed on. */
function Failure({ origin }: { origin: boolean }) {
  const Icon = origin ? Target : CircleX
  return (
    <span className="shrink-0 text-bad" data-tip={origin ? one.marks.origin : one.marks.failed}>
      <Icon size={13} aria-hidden />
    </span>
  )
}

function TimeBar({ row, durationMs, marks }: Pick<RowProps, 'row' | 'durationMs' | 'marks'>) {
  const { span } = row
  const { leftPercent, widthPercent } = barOf(span.offsetMs ?? 0, span.durationMs, durationMs)
  const asks = span.kind === 'CLIENT' || span.kind === 'PRODUCER'
  const tone = span.failed
    ? asks
      ? 'border border-bad bg-bad-soft'
      : 'bg-bad'
    : asks
      ? 'border border-muted'
      : span.kind === 'INTERNAL'
        ? 'bg-edge'
        : 'bg-muted'
  return (
    <span className="relative h-full">
      <span className="sr-only">{drawnAs(row)}</span>
      {marks.map((at) => (
        <span
          key={at}
          className="absolute inset-y-0 w-px bg-line"
          style={{ left: `${durationMs > 0 ? (at / durationMs) * 100 : 0}%` }}
        />
      ))}
      <span
        className={`absolute top-[8px] h-2.5 rounded-sm ${tone}`}
        style={{
          left: `min(${leftPercent}%, calc(100% - 2px))`,
          width: `max(2px, ${widthPercent}%)`,
          ...(span.failed ? stripes : {}),
        }}
      />
    </span>
  )
}
