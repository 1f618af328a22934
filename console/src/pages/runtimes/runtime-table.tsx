import { type KeyboardEvent, memo, useCallback, useEffect, useMemo, useRef } from 'react'
import type { RuntimeRowFragment } from '@/api/generated/operations'
import type { useRuntimeList } from '@/live/use-runtime-list'
import { runtimes as words } from '@/strings/runtimes'
import { TableBox } from '@/ui/page'
import { useRowLinks } from '@/ui/row-link'
import { useWindowed } from '@/ui/use-windowed'
import { runtimeLabel } from '@/util/runtime-label'
import type { Column } from './columns'
import type { Selection } from './use-selection'
import { hasWhy, Why } from './why'

/** The next page is asked for when so few loaded rows are left below those that are rendered. */
const AHEAD = 20

/** Said of what the style makes boxes of: to who cannot see it, it stays a table. */
const as = {
  table: { role: 'table' },
  group: { role: 'rowgroup' },
  row: { role: 'row' },
  head: { role: 'columnheader' },
  cell: { role: 'cell' },
} as const

type Select = (id: string, on: boolean, through: boolean) => void

type RuntimeTableProps = {
  label: string
  list: ReturnType<typeof useRuntimeList>
  columns: Column[]
  selection: Selection
  /** Whether more rows are loaded as one scrolls to them; their room is there before they are. */
  endless: boolean
}

/** Runtimes as rows, of which only those near the window are rendered. Nothing moves while one points at them. */
export function RuntimeTable({ label, list, columns, selection, endless }: RuntimeTableProps) {
  const { query, rows, total, fresh, left, setBusy, setVisible } = list
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query
  const keys = useMemo(() => rows.map((row) => row.id), [rows])
  const unloaded = endless && hasNextPage ? Math.max(0, total - rows.length) : 0
  const { body, parts, range, partial, onFocus, onBlur } = useWindowed(keys, unloaded)
  const select = useSelect(rows, selection)
  const { start, end } = range

  useEffect(() => setVisible(start, end), [setVisible, start, end])
  useEffect(() => setBusy('scrolled', start > 0), [setBusy, start])
  const wanted = endless && hasNextPage && end >= rows.length - AHEAD
  useEffect(() => {
    if (wanted && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage()
  }, [wanted, isFetchingNextPage, isFetchNextPageError, fetchNextPage])

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== 'x' || event.ctrlKey || event.metaKey || event.altKey) return
    const id = (event.target as Element).closest<HTMLElement>('[data-key]')?.dataset.key
    if (id !== undefined) select(id, !selection.rows.has(id), event.shiftKey)
  }
  const chosen = useMemo(
    () => (selection.rows.size === 0 ? 0 : rows.filter((row) => selection.rows.has(row.id)).length),
    [rows, selection.rows],
  )
  const links = useRowLinks()
  return (
    <TableBox label={label}>
      <table
        {...as.table}
        className="grid-table boxed-rows"
        aria-rowcount={partial ? total + 1 : undefined}
        onPointerEnter={() => setBusy('pointed', true)}
        onPointerLeave={() => setBusy('pointed', false)}
        onPointerOver={links.onPointerOver}
        onTouchStart={links.onTouchStart}
        onClick={links.onClick}
        onKeyDown={onKeyDown}
        onFocus={(event) => {
          onFocus(event)
          links.onFocus(event)
          setBusy('focused', true)
        }}
        onBlur={() => {
          onBlur()
          setBusy('focused', false)
        }}
      >
        <thead {...as.group}>
          <tr {...as.row}>
            <th scope="col" {...as.head} className="w-[30px] pr-0!">
              <input
                type="checkbox"
                aria-label={words.selectAll(rows.length)}
                data-tip={words.selectAll(rows.length)}
                checked={chosen > 0 && chosen === rows.length}
                ref={(box) => {
                  if (box) box.indeterminate = chosen > 0 && chosen < rows.length
                }}
                onChange={(event) => selection.select(rows, event.target.checked)}
                className="accent-solid"
              />
            </th>
            {columns.map((column) => (
              <th key={column.key} scope="col" {...as.head} className={column.className}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody {...as.group} ref={body}>
          {parts.map((part) => {
            if (!('row' in part)) {
              return (
                <Space
                  key={part.key}
                  height={part.space}
                  columns={columns.length + 1}
                  loading={part.key === 'after' && unloaded > 0}
                />
              )
            }
            const row = rows[part.row]
            return (
              row && (
                <Row
                  key={row.id}
                  row={row}
                  index={partial ? part.row + 2 : undefined}
                  fresh={fresh.has(row.id)}
                  left={left.has(row.id)}
                  selected={selection.rows.has(row.id)}
                  columns={columns}
                  onSelect={select}
                />
              )
            )
          })}
        </tbody>
      </table>
    </TableBox>
  )
}

/** Selects one row, or all from the one that was selected last through this one. The same function as long as the page is shown. */
function useSelect(rows: RuntimeRowFragment[], { select }: Selection): Select {
  const now = useRef(rows)
  const last = useRef<string>(undefined)
  useEffect(() => {
    now.current = rows
  }, [rows])
  return useCallback(
    (id, on, through) => {
      const all = now.current
      const here = all.findIndex((row) => row.id === id)
      const from = through ? all.findIndex((row) => row.id === last.current) : here
      const begin = from < 0 ? here : Math.min(from, here)
      select(all.slice(begin, Math.max(from, here) + 1), on)
      last.current = id
    },
    [select],
  )
}

type SpaceProps = { height: number; columns: number; loading: boolean }

/** Stands for rows that are not in the document; where they are still to be loaded it has their shape. */
function Space({ height, columns, loading }: SpaceProps) {
  return (
    <tr aria-hidden className="border-b-0!">
      <td
        colSpan={columns}
        className="flex-1!"
        style={{
          height,
          minHeight: 0,
          padding: 0,
          ...(loading && {
            background:
              'repeating-linear-gradient(transparent 0 9px, var(--color-line) 9px 19px, transparent 19px 28px) 14px 0 / min(60%, 640px) 100% no-repeat',
          }),
        }}
      />
    </tr>
  )
}

type RowProps = {
  row: RuntimeRowFragment
  index: number | undefined
  fresh: boolean
  left: boolean
  selected: boolean
  columns: Column[]
  onSelect: Select
}

/** A change in one row renders that row alone. Where there is no room for its reason beside it, that stands below. */
const Row = memo(function Row({ row, index, fresh, left, selected, columns: shown, onSelect }: RowProps) {
  const below = hasWhy(row) && !shown.some((column) => column.key === 'reason')
  const look = `${selected ? 'bg-fresh' : fresh ? 'fresh' : ''} ${left ? 'opacity-60' : ''}`
  return (
    <>
      <tr
        {...as.row}
        data-key={row.id}
        aria-rowindex={index}
        data-tip={left ? words.noLonger : undefined}
        className={`${look} ${below ? 'border-b-0!' : ''}`}
      >
        <td {...as.cell} className="w-[30px] pr-0!">
          <input
            type="checkbox"
            aria-label={words.select(runtimeLabel(row))}
            checked={selected}
            onChange={(event) => onSelect(row.id, event.target.checked, (event.nativeEvent as MouseEvent).shiftKey)}
            className="accent-solid"
          />
        </td>
        {shown.map((column) => (
          <td key={column.key} {...as.cell} className={column.className}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
      {below && (
        <tr {...as.row} data-key={row.id} className={look}>
          <td {...as.cell} aria-colspan={shown.length + 1} className="reason flex-1!">
            <Why runtime={row} />
          </td>
        </tr>
      )}
    </>
  )
})
