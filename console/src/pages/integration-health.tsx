import { Link } from '@tanstack/react-router'
import type { EnvironmentRowFragment } from '@/api/generated/operations'
import { useRuntimeList } from '@/live/use-runtime-list'
import { strings } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { changes } from '@/strings/steering'
import { Age } from '@/ui/age'
import { buttonClass } from '@/ui/button'
import { StalledMark } from '@/ui/change'
import { CouldNotLoad } from '@/ui/states'
import { CriticalBadge, Status } from '@/ui/status'
import { PATH, to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import { hasWhy, Why } from './runtimes/why'

type EnvironmentHealthProps = { environment: EnvironmentRowFragment; project: string; integration: string }

/** The runtimes of one integration in one environment, problems first. */
export function EnvironmentHealth({ environment, project, integration }: EnvironmentHealthProps) {
  const { query, rows, total } = useRuntimeList({ project, integration, environment: environment.handle })
  const notWell = rows.filter(hasWhy)
  const running = rows.filter((row) => row.status === 'RUNNING').length
  return (
    <li className="px-3.5 py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Link
          to={PATH.integrationRuntimes}
          params={{ project, integration }}
          search={{ environment: environment.handle }}
          data-row
          className="link font-medium"
        >
          {environment.displayName}
        </Link>
        {environment.critical && <CriticalBadge />}
        {query.isSuccess && total > 0 && (
          <Link
            {...to.steering(project, integration, { environment: environment.handle })}
            aria-label={changes.steerLabel(environment.displayName)}
            className={`${buttonClass('plain', true)} order-last ml-auto`}
          >
            {changes.steer}
          </Link>
        )}
        {query.isSuccess && (
          <span className="nums text-muted">
            {total === 0 ? words.noRuntimes : words.runningOf(running, rows.length, query.hasNextPage)}
          </span>
        )}
      </div>
      {query.isError && rows.length === 0 && (
        <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
      )}
      {notWell.length > 0 && (
        <ul className="mt-1 space-y-0.5">
          {notWell.map((row) => (
            <li key={row.id} className="flex flex-wrap items-center gap-x-2.5">
              <Status status={row.status} />
              <StalledMark changes={row.changes} />
              <Age at={row.statusSince} className="text-faint" />
              <Link {...to.runtime(row.id)} className="mono link ml-1">
                {runtimeLabel(row)}
              </Link>
              <span className="min-w-0 basis-full text-muted">
                <Why runtime={row} />
              </span>
            </li>
          ))}
        </ul>
      )}
      {query.isPending && <div className="late text-muted">{strings.loading}</div>}
    </li>
  )
}
