import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { ArtifactState } from '@/api/generated/operations'
import { runtime as words } from '@/strings/runtimes'
import { changes } from '@/strings/steering'
import { buttonClass } from '@/ui/button'
import { More } from '@/ui/more'
import { Card, TableBox } from '@/ui/page'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import { State } from '@/ui/status'
import { to } from '@/util/paths'
import type { SteeringSearch } from '@/util/search'
import type { RuntimeFacts } from './index'

type Hosted = { name: string; package: string; state: ArtifactState; stateReason: string | null }
export type HostedColumn<Row> = { title: string; className?: string; cell: (row: Row) => ReactNode }

type HostedCardProps<Row> = {
  title: string
  runtime: RuntimeFacts
  kind: NonNullable<SteeringSearch['kind']>
  rows: Row[]
  total: number
  columns: HostedColumn<Row>[]
  empty: string
  onMore: () => void
  loading: boolean
}

/** What a runtime hosts of one kind: its state, why, and where it is told from. */
export function HostedCard<Row extends Hosted>(props: HostedCardProps<Row>) {
  const { title, runtime, kind, rows, total, columns, empty, onMore, loading } = props
  return (
    <Card
      title={title}
      label={title}
      beside={<span className="nums text-muted">{total}</span>}
      actions={total > 0 && <SteerLink runtime={runtime} kind={kind} what={title} />}
    >
      {rows.length === 0 ? (
        <Empty title={empty} />
      ) : (
        <TableBox label={title}>
          <table className="grid-table">
            <thead>
              <tr>
                <th scope="col">{words.columns.name}</th>
                <th scope="col">{words.columns.state}</th>
                {columns.map((column) => (
                  <th key={column.title} scope="col">
                    {column.title}
                  </th>
                ))}
                <th scope="col">{words.columns.package}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <HostedRow
                  key={`${row.package} ${row.name}`}
                  row={row}
                  columns={columns}
                  unheard={runtime.status !== 'RUNNING'}
                />
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      <More shown={rows.length} total={total} onMore={onMore} loading={loading} />
    </Card>
  )
}

type HostedRowProps<Row> = { row: Row; columns: HostedColumn<Row>[]; unheard: boolean }

/** The reason of a state takes a line of its own: it is a sentence, and the table is dense. */
function HostedRow<Row extends Hosted>({ row, columns, unheard }: HostedRowProps<Row>) {
  return (
    <>
      <tr className={row.stateReason ? '[&>td]:border-b-0' : ''}>
        <td className="mono">{row.name}</td>
        <td>
          <State state={row.state} unheard={unheard} />
        </td>
        {columns.map((column) => (
          <td key={column.title} className={column.className}>
            {column.cell(row)}
          </td>
        ))}
        <td className="mono text-muted">{row.package}</td>
      </tr>
      {row.stateReason && (
        <tr>
          <td colSpan={columns.length + 3} className="reason">
            <Said text={row.stateReason} />
          </td>
        </tr>
      )}
    </>
  )
}

type SteerLinkProps = {
  runtime: RuntimeFacts
  kind?: SteeringSearch['kind']
  /** One artifact, where the link is of a row. */
  name?: string
  what: string
}

export function SteerLink({ runtime: { project, integration, environment }, kind, name, what }: SteerLinkProps) {
  return (
    <Link
      {...to.steering(project.handle, integration.handle, { environment: environment.handle, kind, search: name })}
      aria-label={changes.steerLabel(what)}
      className={buttonClass('plain', true)}
    >
      {changes.steer}
    </Link>
  )
}
