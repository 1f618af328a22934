import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { TryItDocument, type TryItQuery } from '@/api/generated/people'
import { environmentsQuery, integrationQuery } from '@/api/queries'
import { tryItQuery, tryItRuntimesQuery } from '@/api/try-it'
import { statusNames } from '@/strings/common'
import { runtimes as runtimeWords } from '@/strings/runtimes'
import { missing } from '@/strings/shell'
import { tryIt as words } from '@/strings/try-it'
import { buttonClass } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { CopyGraphql } from '@/ui/copy'
import { PageHead } from '@/ui/page'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { PATH, to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import type { TryItSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { operationsOf, unreadable } from './operations'
import { Workbench } from './workbench'

export type TriedRuntime = NonNullable<TryItQuery['runtime']>

/** A request to a service, composed from its definition, sent through the control plane to a runtime that one chose. */
export function TryItPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationTryIt}` })
  const search = useSearch({ from: `/shell${PATH.integrationTryIt}` })
  const change = useSearchState<TryItSearch>()
  const known = useQuery(integrationQuery(project, integration))
  const environments = useQuery(environmentsQuery)
  const all = environments.data?.nodes ?? []
  const environment = search.environment ? all.find((each) => each.handle === search.environment) : all[0]
  const listed = useQuery(tryItRuntimesQuery(project, integration, environment?.handle ?? ''))
  const runtimes = listed.data?.nodes ?? []
  const chosen = search.runtime ?? (runtimes.find(({ status }) => status === 'RUNNING') ?? runtimes[0])?.id ?? ''
  const query = useQuery(tryItQuery(chosen))
  if (known.data === null) return <Missing what={missing.kinds.integration} />
  const failed = [environments, listed, query].find(({ isError }) => isError)
  return (
    <>
      <PageHead
        title={words.of(known.data?.displayName ?? integration)}
        early={!known.data}
        note={environment?.critical && <CriticalBadge />}
        actions={
          <>
            {chosen && <CopyGraphql document={TryItDocument} variables={{ id: chosen }} />}
            <Choose
              label={runtimeWords.environmentFilter}
              value={environment?.handle}
              onChange={(next) => change({ environment: next, runtime: undefined, port: undefined })}
              choices={all.map(({ handle, displayName }) => [handle, displayName])}
            />
            {runtimes.length > 0 && (
              <Choose
                label={words.runtime}
                value={chosen}
                onChange={(next) => change({ runtime: next, port: undefined })}
                choices={runtimes.map((each) => [each.id, `${runtimeLabel(each)} · ${statusNames[each.status]}`])}
              />
            )}
          </>
        }
      />
      <p className="-mt-2 mb-3 max-w-prose text-muted">{words.note}</p>
      {failed ? (
        <CouldNotLoad what={words.what} error={failed.error} onRetry={() => failed.refetch()} />
      ) : listed.data && runtimes.length === 0 ? (
        <div className="rounded-lg border border-line bg-surface">
          <Empty
            title={words.noRuntimesTitle}
            action={
              <Link {...to.integrationRuntimes(project, integration)} className={buttonClass('solid')}>
                {words.addRuntime}
              </Link>
            }
          >
            {words.noRuntimes}
          </Empty>
        </div>
      ) : query.data === null ? (
        <Missing what={words.runtimeKind} />
      ) : query.data ? (
        <Chosen runtime={query.data} />
      ) : (
        <Skeleton label={words.what} rows={8} />
      )}
    </>
  )
}

function Chosen({ runtime }: { runtime: TriedRuntime }) {
  const { tryIt, services, listeners } = runtime
  const operations = useMemo(
    () => operationsOf(tryIt.definitions, services.nodes, listeners.nodes),
    [tryIt.definitions, services.nodes, listeners.nodes],
  )
  const broken = useMemo(() => unreadable(tryIt.definitions), [tryIt.definitions])
  const note =
    broken.length > 0
      ? words.unreadable(broken.join(', '))
      : tryIt.definitions.length === 0 && operations.length > 0
        ? words.noDefinitions
        : undefined
  return <Workbench key={runtime.id} runtime={runtime} operations={operations} note={note} />
}
