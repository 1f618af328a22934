import type { ReactNode } from 'react'
import { strings } from '@/strings/common'
import { Button } from './button'
import { TableBox } from './page'
import { CouldNotLoad, Empty, Skeleton } from './states'

export type ListColumn<Row> = { key: string; title: ReactNode; className?: string; cell: (row: Row) => ReactNode }

/** The part of an infinite query that a list needs. */
type Listed<Row> = {
  data: { pages: { nodes: Row[]; totalCount: number }[] } | undefined
  isPending: boolean
  isError: boolean
  error: unknown
  hasNextPage: boolean
  isFetchingNextPage: boolean
  isFetchNextPageError: boolean
  fetchNextPage: () => unknown
  refetch: () => unknown
}

type ListProps<Row> = {
  what: string
  query: Listed<Row>
  columns: ListColumn<Row>[]
  rowKey: (row: Row) => string
  /** What teaches the next step when there is nothing at all. */
  empty: ReactNode
  search?: string | undefined
  onClearSearch?: () => void
  /** Whether other filters than the search are set: then nothing is not emptiness. */
  filtered?: boolean
  /** Without a border of its own, inside a card. */
  bare?: boolean
}

/** A list with all its states: loading, could not load, nothing found, nothing there, rows, more rows. */
export function List<Row>(props: ListProps<Row>) {
  const { what, query, columns, rowKey, empty, search, onClearSearch, filtered = false, bare = false } = props
  const rows = query.data?.pages.flatMap((page) => page.nodes) ?? []
  return (
    <div className={bare ? '' : 'rounded-lg border border-line bg-surface'}>
      {query.isPending ? (
        <Skeleton label={what} />
      ) : query.isError && rows.length === 0 ? (
        <CouldNotLoad what={what} error={query.error} onRetry={() => query.refetch()} />
      ) : rows.length === 0 && (search || filtered) ? (
        <Empty
          title={search ? strings.noMatch(search) : strings.noneMatch}
          action={<Button onClick={onClearSearch}>{filtered ? strings.clearFilters : strings.clearSearch}</Button>}
        />
      ) : rows.length === 0 ? (
        empty
      ) : (
        <TableBox label={what}>
          <table className="grid-table">
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column.key} scope="col" className={column.className}>
                    {column.title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={rowKey(row)}>
                  {columns.map((column) => (
                    <td key={column.key} className={column.className}>
                      {column.cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {query.hasNextPage && (
        <div className="nums flex items-center gap-3 border-t border-line px-3.5 py-2 text-muted">
          <Button small onClick={() => query.fetchNextPage()} aria-busy={query.isFetchingNextPage}>
            {strings.showMore}
          </Button>
          {strings.shown(rows.length, query.data?.pages[0]?.totalCount ?? rows.length)}
          {query.isFetchNextPageError && <span className="text-bad">{strings.couldNotLoad(what)}</span>}
        </div>
      )}
    </div>
  )
}
