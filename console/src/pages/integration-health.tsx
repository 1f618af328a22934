import { Link } from '@tanstack/react-router'
import type { EnvironmentRowFragment } from '@/api/generated/operations'
import { useRuntimeList } from '@/live/use-runtime-list'
import { strings } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { changes } from '@/strings/steering'
import { buttonClass } from '@/ui/button'
import { CouldNotLoad } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { PATH, to } from '@/util/paths'
import { Replicas } from './integration-replicas'
import { InSync } from './integration-sync'

type EnvironmentHealthProps = { environment: EnvironmentRowFragment; project: string; integration: string }

/** The runtimes of one integration in one environment side by side, problems first, and whether they are as wanted. */
export function EnvironmentHealth({ environment, project, integration }: EnvironmentHealthProps) {
  const { query, rows, total } = useRuntimeList({ project, integration, environment: environment.handle })
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
      {total > 0 && <InSync place={{ project, integration, environment: environment.handle }} />}
      <Replicas rows={rows} total={total} search={{ environment: environment.handle }} />
      {query.isPending && <div className="late text-muted">{strings.loading}</div>}
    </li>
  )
}
