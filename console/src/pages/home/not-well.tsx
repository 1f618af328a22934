import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleCheck } from 'lucide-react'
import type { CountsFragment, RuntimeRowFragment } from '@/api/generated/operations'
import { notWellQuery, refusalsQuery } from '@/api/queries'
import { refusals as refusalWords, runtimes } from '@/strings/runtimes'
import { home as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { buttonClass } from '@/ui/button'
import { StalledMark } from '@/ui/change'
import { Card } from '@/ui/page'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { CriticalBadge, Status, WarningMark } from '@/ui/status'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import { Why } from '../runtimes/why'

/** What and since when, which one and where, and why; one below the other on narrow screens. */
const troubleClass =
  'grid items-center gap-x-4 gap-y-0.5 px-3.5 py-1.5 lg:grid-cols-[148px_minmax(0,320px)_minmax(0,1fr)]'

/** Offline and unknown runtimes with their reason, those in critical environments first, then warnings and refusals. */
export function NotWell({ counts }: { counts: CountsFragment }) {
  const query = useQuery(notWellQuery)
  const mayRefusals = !useBlocked()('ENVIRONMENT_MGT_MANAGE_NONPROD')
  const refusals = useQuery({ ...refusalsQuery, enabled: mayRefusals })
  const refused = refusals.data?.reduce((sum, refusal) => sum + refusal.count, 0) ?? 0
  const rows = query.data?.rows ?? []
  return (
    <Card
      title={words.notWell}
      label={words.notWell}
      actions={
        <Link {...to.runtimes()} className={buttonClass('plain', true)}>
          {words.seeAll}
        </Link>
      }
    >
      {query.isPending ? (
        <Skeleton label={words.notWellWhat} />
      ) : query.isError && !query.data ? (
        <CouldNotLoad what={words.notWellWhat} error={query.error} onRetry={() => void query.refetch()} />
      ) : counts.total === 0 && refused === 0 ? (
        <Empty
          title={words.nothingYet}
          action={
            <Link {...to.addRuntime()} className={buttonClass('solid')}>
              {runtimes.add}
            </Link>
          }
        >
          {words.nothingYetText}
        </Empty>
      ) : rows.length === 0 && refused === 0 && !refusals.isError ? (
        <div className="flex gap-2.5 px-3.5 py-3">
          <CircleCheck size={16} className="mt-0.5 text-ok" aria-hidden />
          <div>
            <p className="font-medium">{words.allWell(counts.total)}</p>
            <p className="text-muted">{words.allWellText}</p>
          </div>
        </div>
      ) : (
        <ul className="divide-y divide-line">
          {rows.map((row) => (
            <Trouble key={row.id} row={row} />
          ))}
          {refused > 0 && (
            <li className={troubleClass}>
              <span className="whitespace-nowrap">
                <WarningMark text={words.refusals}>
                  <span className="font-medium">{words.refused}</span>
                </WarningMark>
              </span>
              <span>
                <Link {...to.refusals()} data-row className="link">
                  {words.refusals}
                </Link>
              </span>
              <span className="min-w-0 text-muted">
                {runtimes.refused(refused)}. <Said text={refusals.data?.[0]?.message} />
              </span>
            </li>
          )}
        </ul>
      )}
      {refusals.isError && !refusals.data && (
        <CouldNotLoad what={refusalWords.what} error={refusals.error} onRetry={() => void refusals.refetch()} />
      )}
      {query.data?.more && (
        <p className="border-t border-line px-3.5 py-2 text-muted">{words.partial(query.data.seen)}</p>
      )}
    </Card>
  )
}

function Trouble({ row }: { row: RuntimeRowFragment }) {
  const { project, integration, environment } = row
  return (
    <li className={troubleClass}>
      <span className="flex items-center gap-2 whitespace-nowrap">
        {row.status === 'RUNNING' && row.warnings[0] && <WarningMark text={row.warnings[0].message} />}
        <Status status={row.status} />
        <StalledMark changes={row.changes} />
        <Age at={row.statusSince} className="text-faint" />
      </span>
      <span className="min-w-0">
        <Link {...to.runtime(row.id)} data-row className="mono link block truncate">
          {runtimeLabel(row)}
        </Link>
        <span className="flex flex-wrap items-center gap-x-1 text-[12px] text-muted">
          <Link {...to.project(project.handle)} className="link text-muted">
            {project.displayName}
          </Link>
          <span className="text-faint">/</span>
          <Link {...to.integration(project.handle, integration.handle)} className="link">
            {integration.displayName}
          </Link>
          <span className="text-faint">·</span>
          <Link {...to.runtimes(environment.handle)} className="link">
            {environment.displayName}
          </Link>
          {environment.critical && <CriticalBadge />}
        </span>
      </span>
      <span className="min-w-0 text-muted">
        <Why runtime={row} />
      </span>
    </li>
  )
}
