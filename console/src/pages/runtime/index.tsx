import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { History } from 'lucide-react'
import { useState } from 'react'
import { RuntimePageDocument, type RuntimePageQuery } from '@/api/generated/operations'
import { heartbeatQuery, PAGE_SIZE, runtimeQuery } from '@/api/queries'
import { strings, typeNames } from '@/strings/common'
import { runtime as words } from '@/strings/runtimes'
import { Age } from '@/ui/age'
import { CopyGraphql, CopyIconButton } from '@/ui/copy'
import { Card, Facts, PageHead } from '@/ui/page'
import { Said } from '@/ui/said'
import { CouldNotLoad, Missing, Skeleton } from '@/ui/states'
import { CriticalBadge, Status } from '@/ui/status'
import { PATH, to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import type { RuntimeSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { Listeners } from './listeners'
import { LogLevels } from './log-levels'
import { Services } from './services'

export type RuntimeFacts = NonNullable<RuntimePageQuery['runtime']>

/** Everything that is known of one runtime, as it is now. */
export function RuntimePage() {
  const { runtimeId } = useParams({ from: `/shell${PATH.runtime}` })
  const search = useSearch({ from: `/shell${PATH.runtime}` })
  const change = useSearchState<RuntimeSearch>()
  const [first, setFirst] = useState(PAGE_SIZE)
  const query = useQuery({ ...runtimeQuery(runtimeId, first), placeholderData: keepPreviousData })
  if (query.isPending) return <Skeleton label={words.what} rows={12} />
  if (query.data === null) return <Missing what={words.kind} />
  if (query.data === undefined) {
    return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  }
  const runtime = query.data
  const more = { onMore: () => setFirst(first + 4 * PAGE_SIZE), loading: query.isFetching }
  return (
    <>
      <PageHead
        title={runtimeLabel(runtime)}
        note={
          <span className="inline-flex items-center gap-2">
            <Status status={runtime.status} />
            <span>
              {words.since} <Age at={runtime.statusSince} />
            </span>
          </span>
        }
        actions={<CopyGraphql document={RuntimePageDocument} variables={{ id: runtimeId, first }} />}
      />
      <p className="-mt-2 mb-3 text-muted">
        <Said text={runtime.statusReason} />
      </p>
      <Warnings runtime={runtime} />
      <AsReported runtime={runtime} />
      <div className="grid items-start gap-x-4 xl:grid-cols-[minmax(0,1fr)_412px]">
        <div className="min-w-0 items-start gap-x-4 min-[1800px]:grid min-[1800px]:grid-cols-2">
          <div className="min-w-0">
            <Services
              runtime={runtime}
              filter={search.services ?? ''}
              onFilter={(services) => change({ services: services || undefined }, true)}
              {...more}
            />
          </div>
          <div className="min-w-0">
            <Listeners runtime={runtime} {...more} />
            <LogLevels
              runtime={runtime}
              filter={search.filter ?? ''}
              onFilter={(filter) => change({ filter: filter || undefined }, true)}
              {...more}
            />
          </div>
        </div>
        <div className="min-w-0">
          <Process runtime={runtime} />
          <Identity runtime={runtime} />
        </div>
      </div>
    </>
  )
}

function Warnings({ runtime }: { runtime: RuntimeFacts }) {
  if (runtime.warnings.length === 0) return null
  return (
    <section aria-label={words.warnings} className="mb-4 rounded-lg border border-line bg-warn-soft px-3.5 py-2">
      {runtime.warnings.map((warning) => (
        <p key={warning.code}>
          <strong className="font-semibold">
            <Said text={warning.message} />
          </strong>{' '}
          <Said text={warning.fix} /> <code className="text-muted">{warning.code}</code>
        </p>
      ))}
    </section>
  )
}

/** Of a runtime that is not heard nothing below is known to be so now. */
function AsReported({ runtime: { status, lastHeartbeatAt } }: { runtime: RuntimeFacts }) {
  if (status === 'RUNNING') return null
  return (
    <p className="-mt-1.5 mb-2.5 flex items-center gap-1.5 text-muted">
      <History size={14} className="shrink-0 text-faint" aria-hidden />
      <span>
        {lastHeartbeatAt ? (
          <>
            {words.asReported}, <Age at={lastHeartbeatAt} ago />. {words.asReportedMeaning}
          </>
        ) : (
          words.neverReported
        )}
      </span>
    </p>
  )
}

const unknown = <span className="text-faint">{strings.notReported}</span>

function Process({ runtime }: { runtime: RuntimeFacts }) {
  const { node, environment, project, integration } = runtime
  const heartbeat = useQuery(heartbeatQuery(runtime.id))
  const lastHeartbeatAt = [runtime.lastHeartbeatAt, heartbeat.data]
    .filter((at) => at != null)
    .sort()
    .at(-1)
  const os = [node.osName, node.osVersion, node.osArch].filter(Boolean).join(' ')
  const platform = [node.platformName, node.platformVersion].filter(Boolean).join(' ')
  return (
    <Card title={words.process} label={words.process}>
      <Facts
        facts={[
          [
            words.facts.environment,
            <span key="environment" className="inline-flex flex-wrap items-center gap-2">
              <Link {...to.runtimes(environment.handle)} className="link">
                {environment.displayName}
              </Link>
              {environment.critical && <CriticalBadge />}
            </span>,
          ],
          [
            words.facts.integration,
            <span key="integration" className="inline-flex flex-wrap items-center gap-x-1">
              <Link {...to.project(project.handle)} className="link">
                {project.displayName}
              </Link>
              <span className="text-faint">/</span>
              <Link {...to.integration(project.handle, integration.handle)} className="link">
                {integration.displayName}
              </Link>
            </span>,
          ],
          [words.facts.heartbeat, lastHeartbeatAt ? <Age key="heartbeat" at={lastHeartbeatAt} ago /> : unknown],
          [words.facts.type, typeNames[runtime.type].long],
          [words.facts.version, runtime.version ? <code key="version">{runtime.version}</code> : unknown],
          ...(runtime.automation
            ? [
                [
                  words.facts.automation,
                  `${runtime.automation.organization}/${runtime.automation.package} ${runtime.automation.version}`,
                ] as [string, string],
              ]
            : []),
          [words.facts.host, node.hostname ? <code key="host">{node.hostname}</code> : unknown],
          [words.facts.processId, node.processId ?? unknown],
          [words.facts.started, node.startedAt ? <Age key="started" at={node.startedAt} ago /> : unknown],
          [words.facts.platform, platform || unknown],
          [words.facts.home, node.platformHome ? <code key="home">{node.platformHome}</code> : unknown],
          [words.facts.os, os || unknown],
        ]}
      />
    </Card>
  )
}

/** An identity stays on one line, in small letters, and is copied with one press. */
function Identifier({ name, value }: { name: string; value: string }) {
  return (
    <span className="flex items-center gap-1">
      <code className="min-w-0 overflow-x-auto whitespace-nowrap text-[11px] tracking-[-0.01em]">{value}</code>
      <CopyIconButton text={value} label={strings.copyWhat(name)} />
    </span>
  )
}

function Identity({ runtime }: { runtime: RuntimeFacts }) {
  return (
    <Card title={words.identity} label={words.identity}>
      <Facts
        facts={[
          [
            words.facts.runtimeId,
            <Identifier key="runtimeId" name={words.facts.runtimeId} value={runtime.runtimeId} />,
          ],
          [words.facts.name, runtime.name ? <code key="name">{runtime.name}</code> : unknown],
          [words.facts.id, <Identifier key="id" name={words.facts.id} value={runtime.id} />],
          [words.facts.secret, runtime.secretKeyId ? <code key="secret">{runtime.secretKeyId}</code> : unknown],
          [
            words.facts.interval,
            runtime.heartbeatIntervalSeconds == null
              ? words.intervalUnknown
              : words.seconds(runtime.heartbeatIntervalSeconds),
          ],
          [words.facts.offlineAfter, words.seconds(runtime.offlineAfterSeconds)],
          [words.facts.address, runtime.address ? <code key="address">{runtime.address}</code> : unknown],
          [words.facts.registered, <Age key="registered" at={runtime.registeredAt} ago />],
        ]}
      />
    </Card>
  )
}
