import { ArrowDown, ArrowUp } from 'lucide-react'
import type { ReactNode } from 'react'
import { strings } from '@/strings/common'
import { metrics as words } from '@/strings/metrics'
import { Button } from '@/ui/button'
import { Card, TableBox } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { Empty } from '@/ui/states'
import { METRIC_SHARES } from '@/util/choices'
import type { MetricsSearch } from '@/util/search'
import { format, formatCount, UNKNOWN } from './format'
import { inOrder, isAlone, matches, type Order, type Row } from './rows'

type ResourceTableProps = {
  rows: Row[]
  left: number
  search: MetricsSearch
  onChange: (next: Partial<MetricsSearch>, replace?: boolean) => void
  /** What the charts show of a row: where integrations are told apart, its place, too. */
  onAlone: (row: Row | undefined) => void
}

/** From here on failures are worth a colour. Share of all. */
const MANY = 0.01
const NUMBERS = ['count', 'errors', 'rate', ...METRIC_SHARES] as const

/** Services and resources with what they did; a row is shown alone in the charts. */
export function ResourceTable({ rows, left, search, onChange, onAlone }: ResourceTableProps) {
  const order = search.order ?? 'count'
  const up = search.up ?? false
  const shown = inOrder(
    rows.filter((row) => matches(row, search.search)),
    order,
    up,
  )
  const hasPlaces = new Set(rows.map(({ place }) => place)).size > 1
  const sort = { order, up, onChange }
  return (
    <Card
      title={words.services}
      label={words.services}
      actions={
        <SearchBox
          label={words.findResource}
          value={search.search ?? ''}
          onSearch={(text) => onChange({ search: text || undefined }, true)}
        />
      }
    >
      {shown.length === 0 ? (
        <Empty
          title={search.search ? strings.noMatch(search.search) : strings.noneMatch}
          action={<Button onClick={() => onChange({ search: undefined })}>{strings.clearSearch}</Button>}
        />
      ) : (
        <TableBox label={words.services}>
          <table className="grid-table">
            <thead>
              <tr>
                <Sortable {...sort} column="name">
                  {words.columns.name}
                </Sortable>
                <th scope="col">{words.columns.service}</th>
                {hasPlaces && <th scope="col">{words.columns.place}</th>}
                {NUMBERS.map((column) => (
                  <Sortable key={column} {...sort} column={column} right>
                    {words.columns[column]}
                  </Sortable>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => (
                <ResourceRow
                  key={row.id}
                  row={row}
                  alone={isAlone(row, search)}
                  hasPlace={hasPlaces}
                  onAlone={onAlone}
                />
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {left > 0 && <p className="border-t border-line px-3.5 py-2 text-muted">{words.more(left)}</p>}
    </Card>
  )
}

type SortableProps = {
  column: Order
  order: Order
  up: boolean
  right?: boolean
  onChange: ResourceTableProps['onChange']
  children: ReactNode
}

function Sortable({ column, order, up, right = false, onChange, children }: SortableProps) {
  const isHere = order === column
  // Names begin with A, everything else with the most.
  const ascends = column === 'name' ? !up : up
  const Arrow = ascends ? ArrowUp : ArrowDown
  return (
    <th
      scope="col"
      aria-sort={isHere ? (ascends ? 'ascending' : 'descending') : 'none'}
      className={right ? '!text-right' : ''}
    >
      <button
        type="button"
        onClick={() =>
          onChange({ order: column === 'count' ? undefined : column, up: isHere && !up ? true : undefined }, true)
        }
        className={`inline-flex items-center gap-1 hover:text-ink ${isHere ? 'text-ink' : ''}`}
      >
        {children}
        {isHere && <Arrow size={11} aria-hidden />}
      </button>
    </th>
  )
}

type ResourceRowProps = { row: Row; alone: boolean; hasPlace: boolean; onAlone: (row: Row | undefined) => void }

function ResourceRow({ row, alone, hasPlace, onAlone }: ResourceRowProps) {
  const name = row.name ?? words.unnamed
  const hasFailed = (row.failed ?? 0) > 0
  return (
    <tr className={alone ? '[&>td]:bg-fresh' : ''}>
      <td>
        <button
          type="button"
          data-row
          aria-pressed={alone}
          data-tip={alone ? words.widen(name) : words.narrow(name)}
          onClick={() => onAlone(alone ? undefined : row)}
          className="mono link block max-w-[22rem] truncate text-left"
        >
          {name}
        </button>
      </td>
      <td className="text-muted">{row.service ?? UNKNOWN}</td>
      {hasPlace && <td className="text-muted">{row.place ?? UNKNOWN}</td>}
      <Amount>{formatCount(row.count)}</Amount>
      <Amount
        tone={(row.errors ?? 0) >= MANY ? 'font-medium text-bad' : hasFailed ? '' : 'text-faint'}
        tip={hasFailed ? words.failedOf(formatCount(row.failed)) : undefined}
      >
        {format('share', row.errors)}
      </Amount>
      <Amount>{format('rate', row.rate)}</Amount>
      {METRIC_SHARES.map((share) => (
        <Amount key={share}>{format('time', row[share])}</Amount>
      ))}
    </tr>
  )
}

export function Amount({ children, tone = '', tip }: { children: ReactNode; tone?: string; tip?: string | undefined }) {
  return (
    <td className={`nums text-right ${tone}`} data-tip={tip}>
      {children}
    </td>
  )
}
