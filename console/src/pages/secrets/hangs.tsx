import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { SecretQuery } from '@/api/generated/operations'
import { PAGE_SIZE, secretQuery } from '@/api/queries'
import { secrets as words } from '@/strings/secrets'
import { steering } from '@/strings/steering'
import { Age } from '@/ui/age'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { Status } from '@/ui/status'
import { to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'

export type SecretFacts = NonNullable<SecretQuery['secret']>

/** Who hangs on a secret, read before it is taken from them. */
export function HangsOn({ keyId }: { keyId: string }) {
  const query = useQuery(secretQuery(keyId, PAGE_SIZE))
  if (query.isPending) return <Skeleton label={words.panel.hangs} rows={2} />
  if (query.isError && !query.data) {
    return <CouldNotLoad what={words.panel.hangs} error={query.error} onRetry={() => void query.refetch()} />
  }
  const runtimes = query.data?.runtimes
  return runtimes ? <Hanging runtimes={runtimes} /> : null
}

export function Hanging({ runtimes: { nodes, totalCount } }: Pick<SecretFacts, 'runtimes'>) {
  if (totalCount === 0) return <p className="text-muted">{words.panel.nobody}</p>
  return (
    <ul aria-label={words.panel.hangs} className="max-h-44 overflow-y-auto rounded-md border border-line">
      {nodes.map((runtime) => (
        <li key={runtime.id} className="flex flex-wrap items-center gap-x-2.5 px-2.5 py-1">
          <Status status={runtime.status} />
          <Link {...to.runtime(runtime.id)} className="mono link">
            {runtimeLabel(runtime)}
          </Link>
          {runtime.lastHeartbeatAt && <Age at={runtime.lastHeartbeatAt} ago className="text-faint" />}
        </li>
      ))}
      {totalCount > nodes.length && (
        <li className="nums px-2.5 py-1 text-muted">{steering.more(totalCount - nodes.length)}</li>
      )}
    </ul>
  )
}
