import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleCheck } from 'lucide-react'
import type { CountsFragment, RuntimeRowFragment } from '@/api/generated/operations'
import { notWellQuery, refusalsQuery, type Within } from '@/api/queries'
import { alerts as alertWords } from '@/strings/alerts'
import { refusals as refusalWords, runtimes } from '@/strings/runtimes'
import { home as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { buttonClass } from '@/ui/button'
import { StalledMark } from '@/ui/change'
import { Card } from '@/ui/page'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { CriticalBadge, Status, WarningMark } from '@/ui/status'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import { Why } from '../runtimes/why'
import { FiringAlerts, useFiring } from './firing-alerts'
import { stepsOf } from './steps'
import { NextSteps, TroubleRow } from './trouble'

const StoreTrouble = lazily(async () => (await import('./store-trouble')).StoreTrouble)

/** So many are told of one by one; the filtered list has all of them. */
const SHOWN = 20

type NotWellProps = { counts: CountsFragment; within?: Within }

/**
 * What is not well, each with its cause and its next step: alerts that fire, silent runtimes (those in critical environments first),
 * changes that stalled, warnings, refused heartbeats, trouble of the telemetry store.
 */
export function NotWell({ counts, within = {} }: NotWellProps) {
  const query = useQuery(notWellQuery(within))
  const everywhere = within.project === undefined
  const blocked = useBlocked()
  const mayRefusals = everywhere && !blocked('ENVIRONMENT_MGT_MANAGE_NONPROD')
  const mayTelemetry = !blocked('OBSERVABILITY_MGT_VIEW_LOGS', 'OBSERVABILITY_MGT_VIEW_INSIGHTS')
  const refusals = useQuery({ ...refusalsQuery, enabled: mayRefusals })
  const refused = mayRefusals ? (refusals.data?.reduce((sum, refusal) => sum + refusal.count, 0) ?? 0) : 0
  const rows = query.data?.rows ?? []
  const firing = useFiring(within, rows)
  const grave = firing.alerts.filter(({ severity }) => severity !== 'INFO')
  const slight = firing.alerts.filter(({ severity }) => severity === 'INFO')
  const nothing = rows.length === 0 && firing.alerts.length === 0 && refused === 0
  const listed = within.project ? to.projectRuntimes(within.project) : to.runtimes()
  return (
    <Card
      title={words.notWell}
      label={words.notWell}
      actions={
        <Link {...listed} className={buttonClass('plain', true)}>
          {words.seeAll}
        </Link>
      }
    >
      {everywhere && mayTelemetry && <StoreTrouble />}
      {query.isPending || firing.query.isLoading ? (
        <Skeleton label={words.notWellWhat} />
      ) : query.isError && !query.data ? (
        <CouldNotLoad what={words.notWellWhat} error={query.error} onRetry={() => void query.refetch()} />
      ) : counts.total === 0 && nothing ? (
        <NothingYet />
      ) : nothing && !refusals.isError && !firing.query.isError ? (
        <AllWell total={counts.total} />
      ) : (
        <ul className="divide-y divide-line">
          <FiringAlerts within={within} alerts={grave} />
          {rows.slice(0, SHOWN).map((row) => (
            <Trouble key={row.id} row={row} />
          ))}
          {rows.length > SHOWN && (
            <li className="px-3.5 py-1.5">
              <Link {...listed} className="link nums">
                {words.rest(Math.max(rows.length, query.data?.silent ?? 0) - SHOWN)}
              </Link>
            </li>
          )}
          <FiringAlerts within={within} alerts={slight} />
          {refused > 0 && <Refused count={refused} message={refusals.data?.[0]?.message} />}
        </ul>
      )}
      {refusals.isError && !refusals.data && (
        <CouldNotLoad what={refusalWords.what} error={refusals.error} onRetry={() => void refusals.refetch()} />
      )}
      {firing.query.isError && !firing.query.data && (
        <CouldNotLoad
          what={alertWords.firingWhat}
          error={firing.query.error}
          onRetry={() => void firing.query.refetch()}
        />
      )}
      {query.data?.more && (
        <p className="border-t border-line px-3.5 py-2 text-muted">{words.partial(query.data.seen)}</p>
      )}
    </Card>
  )
}

function NothingYet() {
  return (
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
  )
}

function AllWell({ total }: { total: number }) {
  return (
    <div className="flex gap-2.5 px-3.5 py-3">
      <CircleCheck size={16} className="mt-0.5 text-ok" aria-hidden />
      <div>
        <p className="font-medium">{words.allWell(total)}</p>
        <p className="text-muted">{words.allWellText}</p>
      </div>
    </div>
  )
}

function Refused({ count, message }: { count: number; message: string | undefined }) {
  return (
    <TroubleRow
      mark={
        <WarningMark text={words.refusals}>
          <span className="font-medium">{words.refused}</span>
        </WarningMark>
      }
      name={
        <Link {...to.refusals()} data-row className="link">
          {words.refusals}
        </Link>
      }
      steps={<NextSteps name={words.refusals} steps={[{ name: words.steps.refusals, link: to.refusals() }]} />}
    >
      {runtimes.refused(count)}. <Said text={message} />
    </TroubleRow>
  )
}

function Trouble({ row }: { row: RuntimeRowFragment }) {
  const { project, integration, environment } = row
  const noLogs = useBlocked()('OBSERVABILITY_MGT_VIEW_LOGS')
  return (
    <TroubleRow
      mark={
        <>
          {row.status === 'RUNNING' && row.warnings[0] && <WarningMark text={row.warnings[0].message} />}
          <Status status={row.status} />
          <StalledMark changes={row.changes} />
          <Age at={row.statusSince} className="text-faint" />
        </>
      }
      name={
        <Link {...to.runtime(row.id)} data-row className="mono link block truncate">
          {runtimeLabel(row)}
        </Link>
      }
      place={
        <>
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
        </>
      }
      steps={<NextSteps name={runtimeLabel(row)} steps={stepsOf(row).filter((step) => !(step.logs && noLogs))} />}
    >
      <Why runtime={row} />
    </TroubleRow>
  )
}
