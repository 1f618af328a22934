import { type KeyboardEvent, type ReactNode, useEffect, useEffectEvent, useId, useMemo, useRef, useState } from 'react'
import { traces as words } from '@/strings/traces'
import { Button } from '@/ui/button'
import { ROOM, useRoom } from '@/util/room'
import { formatMs, ticks } from './axis'
import { moveFor } from './keys'
import { ancestors, type Row, unfolded } from './tree'
import { useWindow } from './use-window'
import { columns, ROW_HEIGHT, stripes, WaterfallRow } from './waterfall-row'

const { one } = words

type WaterfallProps = {
  rows: Row[]
  durationMs: number
  /** The span whose details are open. */
  chosen: Row | undefined
  /** Where the reader asked to be led; each time it is another object. */
  sought: { row: Row } | undefined
  onOpen: (row: Row) => void
  actions?: ReactNode
}

/** The spans of a trace as a tree beside a time axis: one tab stop, arrows within. */
export function Waterfall({ rows, durationMs, chosen, sought, onOpen, actions }: WaterfallProps) {
  const id = useId()
  const box = useRef<HTMLDivElement>(null)
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set())
  const [active, setActive] = useState(chosen?.index ?? 0)
  const shown = useMemo(() => unfolded(rows, folded), [rows, folded])
  const [first, end] = useWindow(box, ROW_HEIGHT, shown.length)
  const here = Math.max(
    0,
    shown.findIndex(({ index }) => index === active),
  )
  const room = useRoom()
  const marks = ticks(durationMs, room >= ROOM.wide ? 8 : room >= ROOM.small ? 5 : 2)

  const fold = (row: Row, close: boolean) =>
    setFolded((before) => {
      const next = new Set(before)
      if (close) next.add(row.index)
      else next.delete(row.index)
      return next
    })
  const go = (row: Row | undefined) => {
    if (!row) return
    setActive(row.index)
    bringIntoView(box.current, shown.indexOf(row))
  }
  const lead = useEffectEvent((row: Row) => {
    const open = new Set(folded)
    for (const each of ancestors(row)) open.delete(each.index)
    setFolded(open)
    setActive(row.index)
    bringIntoView(box.current, unfolded(rows, open).indexOf(row))
  })
  useEffect(() => {
    if (chosen) lead(chosen)
  }, [chosen])
  useEffect(() => {
    if (!sought) return
    lead(sought.row)
    box.current?.focus()
  }, [sought])

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return
    const row = shown[here]
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / ROW_HEIGHT) - 1)
    const move = moveFor(event.key, shown, here, folded, page)
    if (!move || !row) return
    event.preventDefault()
    event.stopPropagation()
    if (move === 'open') onOpen(row)
    else if (move === 'fold' || move === 'unfold') fold(row, move === 'fold')
    else go(shown[move.to])
  }

  return (
    <section aria-label={one.waterfall} className="rounded-lg border border-line bg-surface">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-3.5 py-1.5">
        <h2 className="text-[13.5px]">{one.waterfall}</h2>
        <Legend />
        <span className="ml-auto flex flex-wrap items-center gap-1.5">
          {actions}
          {rows.some(({ children }) => children > 0) && (
            <Button
              small
              onClick={() =>
                setFolded(
                  folded.size > 0 ? new Set() : new Set(rows.filter((row) => row.children).map(({ index }) => index)),
                )
              }
            >
              {folded.size > 0 ? one.unfoldAll : one.foldAll}
            </Button>
          )}
        </span>
      </header>
      <div className={`${columns} border-b border-line text-[11.5px] text-faint`} aria-hidden>
        <span className="px-3.5 py-1">{one.operation}</span>
        <span className="relative">
          {marks.map((at) => {
            const percent = durationMs > 0 ? (at / durationMs) * 100 : 0
            return (
              <span
                key={at}
                className="nums absolute top-1 whitespace-nowrap"
                style={{ left: `${percent}%`, translate: percent === 0 ? undefined : percent > 90 ? '-100%' : '-50%' }}
              >
                {formatMs(at)}
              </span>
            )
          })}
        </span>
        <span className="px-3.5 py-1 text-right">{words.columns.duration}</span>
      </div>
      <div
        ref={box}
        role="tree"
        tabIndex={0}
        aria-label={one.waterfall}
        aria-description={one.keys}
        aria-activedescendant={shown[here] ? `${id}-${shown[here].index}` : undefined}
        onKeyDown={onKeyDown}
        className="group relative max-h-[max(240px,calc(100vh-300px))] overflow-y-auto overflow-x-hidden rounded-b-lg -outline-offset-2"
      >
        <div role="none" className="relative" style={{ height: shown.length * ROW_HEIGHT }}>
          {shown.map((row, place) =>
            (place < first || place >= end) && place !== here ? null : (
              <WaterfallRow
                key={row.index}
                id={`${id}-${row.index}`}
                row={row}
                top={place * ROW_HEIGHT}
                durationMs={durationMs}
                marks={marks}
                isFolded={folded.has(row.index)}
                isActive={place === here}
                isChosen={row.index === chosen?.index}
                onFold={() => fold(row, !folded.has(row.index))}
                onOpen={() => {
                  setActive(row.index)
                  onOpen(row)
                }}
              />
            ),
          )}
        </div>
      </div>
    </section>
  )
}

/** Scrolls a box just so far that a row is seen. */
function bringIntoView(box: HTMLElement | null, place: number): void {
  if (!box || place < 0) return
  const top = place * ROW_HEIGHT
  if (top < box.scrollTop) box.scrollTop = top
  else if (top + ROW_HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_HEIGHT - box.clientHeight
}

function Legend() {
  const swatch = 'inline-block h-2.5 w-5 rounded-sm'
  return (
    <ul className="flex flex-wrap gap-x-3 text-[11.5px] text-muted max-sm:hidden">
      {(
        [
          [one.legend.answered, 'bg-muted'],
          [one.legend.asked, 'border border-muted'],
          [one.legend.inside, 'bg-edge'],
          [one.legend.failed, 'bg-bad', stripes],
        ] as const
      ).map(([name, look, style]) => (
        <li key={name} className="inline-flex items-center gap-1.5">
          <span className={`${swatch} ${look}`} style={style} aria-hidden />
          {name}
        </li>
      ))}
    </ul>
  )
}
