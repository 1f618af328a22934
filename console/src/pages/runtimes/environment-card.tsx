import { memo, useMemo } from 'react'
import {
  type EnvironmentRowFragment,
  type RuntimeFilter,
  type RuntimeRowFragment,
  RuntimesDocument,
} from '@/api/generated/operations'
import { PAGE_SIZE } from '@/api/queries'
import { useRuntimeList } from '@/live/use-runtime-list'
import { strings } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CopyGraphql } from '@/ui/copy'
import { Card, TableBox } from '@/ui/page'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { Counts, CriticalBadge } from '@/ui/status'
import { useRoom } from '@/util/room'
import { useGenerateBlocked } from '../secrets/use-generate-blocked'
import { type Column, columns } from './columns'
import { hasWhy, Why } from './why'

type EnvironmentCardProps = {
  environment: EnvironmentRowFragment
  scope: Pick<RuntimeFilter, 'project' | 'integration'>
  onAdd: () => void
  /** What the page looks for among them. */
  narrow: Pick<RuntimeFilter, 'statuses' | 'type' | 'search'>
  onClear: () => void
}

/** One environment: its counts, and its runtimes as they are now. */
export function EnvironmentCard(props: EnvironmentCardProps) {
  const { environment, scope, narrow, onAdd, onClear } = props
  const { project, integration } = scope
  const addBlocked = useGenerateBlocked(environment, project && integration ? { project, integration } : undefined)
  const filter: RuntimeFilter = { ...scope, ...narrow, environment: environment.handle }
  const { query, rows, total, held, fresh, showHeld, setBusy } = useRuntimeList(filter)
  const shown = useColumns(scope)
  const narrowed = Object.keys(narrow).length > 0
  const counts = scope.project || narrowed ? query.data && countLoaded(rows, query.hasNextPage) : environment.runtimes
  const add = (
    <Button small onClick={onAdd} blocked={addBlocked} aria-label={`${words.add}: ${environment.displayName}`}>
      {words.add}
    </Button>
  )
  return (
    <Card
      label={environment.displayName}
      title={
        <>
          {environment.displayName}
          <code className="font-normal text-faint">{environment.handle}</code>
          {environment.critical && <CriticalBadge />}
        </>
      }
      beside={counts && <Counts counts={counts} empty={words.noRuntimes} />}
      actions={
        <>
          {held.length > 0 && (
            <Button small look="solid" onClick={showHeld}>
              {words.held(held.length)}
            </Button>
          )}
          <CopyGraphql document={RuntimesDocument} variables={{ filter, first: PAGE_SIZE, after: null }} />
          {add}
        </>
      }
    >
      {query.isPending ? (
        <Skeleton label={words.what} rows={scope.project ? 2 : Math.min(8, Math.max(1, environment.runtimes.total))} />
      ) : query.isError && rows.length === 0 ? (
        <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
      ) : rows.length === 0 && narrowed ? (
        <Empty
          title={strings.noneMatch}
          action={
            <Button small onClick={onClear}>
              {strings.clearFilters}
            </Button>
          }
        />
      ) : rows.length === 0 ? (
        <Empty
          title={words.emptyTitle(environment.displayName)}
          action={
            <Button look="solid" onClick={onAdd} blocked={addBlocked}>
              {words.add}
            </Button>
          }
        >
          {words.emptyText}
        </Empty>
      ) : (
        <TableBox label={words.table(environment.displayName)}>
          <table
            className="grid-table table-fixed"
            onPointerEnter={() => setBusy(true)}
            onPointerLeave={() => setBusy(false)}
            onFocus={() => setBusy(true)}
            onBlur={() => setBusy(false)}
          >
            <thead>
              <tr>
                {shown.map((column) => (
                  <th key={column.key} scope="col" className={column.className}>
                    {column.title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.id} row={row} fresh={fresh.has(row.id)} columns={shown} />
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {query.hasNextPage && (
        <div className="flex items-center gap-3 border-t border-line px-3.5 py-2">
          <Button small onClick={() => void query.fetchNextPage()} aria-busy={query.isFetchingNextPage}>
            {strings.showMore}
          </Button>
          <span className="nums text-muted">{strings.shown(rows.length, total)}</span>
          {query.isFetchNextPageError && <span className="text-bad">{strings.couldNotLoad(words.what)}</span>}
        </div>
      )}
    </Card>
  )
}

/** The columns that the window has room for; inside an integration every row would name the same one. */
function useColumns({ integration }: Pick<RuntimeFilter, 'integration'>): Column[] {
  const room = useRoom()
  return useMemo(
    () => columns.filter(({ key, from = 0 }) => from <= room && !(integration && key === 'integration')),
    [room, integration],
  )
}

/** Counts inside a project are those of the loaded rows; with further pages they would be wrong, so none are shown. */
function countLoaded(rows: RuntimeRowFragment[], more: boolean) {
  if (more) return undefined
  const count = (status: RuntimeRowFragment['status']) => rows.filter((row) => row.status === status).length
  return { total: rows.length, running: count('RUNNING'), offline: count('OFFLINE'), unknown: count('UNKNOWN') }
}

type RowProps = { row: RuntimeRowFragment; fresh: boolean; columns: Column[] }

/** A change in one row renders that row alone. Where there is no room for its reason beside it, that stands below. */
const Row = memo(function Row({ row, fresh, columns: shown }: RowProps) {
  const below = hasWhy(row) && !shown.some((column) => column.key === 'reason')
  return (
    <>
      <tr className={`${fresh ? 'fresh' : ''} ${below ? '[&>td]:border-b-0' : ''}`}>
        {shown.map((column) => (
          <td key={column.key} className={column.className}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
      {below && (
        <tr>
          <td colSpan={shown.length} className="reason">
            <Why runtime={row} />
          </td>
        </tr>
      )}
    </>
  )
})
