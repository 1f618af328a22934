import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { CornerUpRight, History, OctagonAlert } from 'lucide-react'
import { useState } from 'react'
import { RuntimePageDocument, type RuntimePageQuery } from '@/api/generated/operations'
import { PAGE_SIZE, runtimeQuery } from '@/api/queries'
import { tabs as tabWords } from '@/strings/common'
import { runtime as words } from '@/strings/runtimes'
import { shell } from '@/strings/shell'
import { changes as changeWords } from '@/strings/steering'
import { Age } from '@/ui/age'
import { buttonClass } from '@/ui/button'
import { ChangeMark } from '@/ui/change'
import { CopyGraphql } from '@/ui/copy'
import { LinkButton } from '@/ui/link-button'
import { PageHead } from '@/ui/page'
import { Said } from '@/ui/said'
import { CouldNotLoad, Missing, Skeleton } from '@/ui/states'
import { Status } from '@/ui/status'
import { Tabs } from '@/ui/tabs'
import { ASKS } from '@/util/choices'
import { PATH, to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import type { RuntimeSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { Actions, Asking, askBlockedFor, type Question } from './actions'
import { Artifacts } from './artifacts'
import { Commands } from './commands'
import { Identity, Process } from './facts'
import { LatestEvents, LatestLines, Traffic } from './lately'
import { Consumers, Listeners, Schedules } from './listeners'
import { LogLevels } from './log-levels'
import { Services } from './services'

export type RuntimeFacts = NonNullable<RuntimePageQuery['runtime']>

/** Everything that is known of one runtime, as it is now. */
export function RuntimePage() {
  const { runtimeId } = useParams({ from: `/shell${PATH.runtime}` })
  const search = useSearch({ from: `/shell${PATH.runtime}` })
  const change = useSearchState<RuntimeSearch>()
  const [first, setFirst] = useState(PAGE_SIZE)
  const [source, setSource] = useState<Question>()
  const query = useQuery({ ...runtimeQuery(runtimeId, first), placeholderData: keepPreviousData })
  if (query.isPending) return <Skeleton label={words.what} rows={12} />
  if (query.data === null) return <Missing what={words.kind} />
  if (query.data === undefined) {
    return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  }
  const runtime = query.data
  const question = source ?? askedFor(runtime, search.ask)
  const setQuestion = (next: Question) =>
    next.question === 'SOURCE' ? setSource(next) : change({ ask: askOf(next), path: undefined })
  const more = { onMore: () => setFirst(first + 4 * PAGE_SIZE), loading: query.isFetching }
  return (
    <>
      <PageHead
        title={runtimeLabel(runtime)}
        note={
          <span className="inline-flex flex-wrap items-center gap-x-2">
            <Status status={runtime.status} />
            <span>
              {words.since} <Age at={runtime.statusSince} />
            </span>
            <ChangeMark changes={runtime.changes} />
          </span>
        }
        actions={
          <>
            <CopyGraphql document={RuntimePageDocument} variables={{ id: runtimeId, first }} />
            <LinkButton
              link={to.integrationMetrics(runtime.project.handle, runtime.integration.handle, {
                runtime: runtime.runtimeId,
              })}
              blocked={mayNot(runtime.permissions, 'OBSERVABILITY_MGT_VIEW_INSIGHTS')}
            >
              {shell.nav.metrics}
            </LinkButton>
            <Actions runtime={runtime} onAsk={setQuestion} />
          </>
        }
      />
      <Tabs
        label={runtimeLabel(runtime)}
        tabs={[
          { name: tabWords.overview, link: to.runtime(runtime.id) },
          { name: tabWords.events, link: to.runtimeEvents(runtime.id) },
        ]}
      />
      <p className="-mt-2 mb-3 text-muted">
        <Said text={runtime.statusReason} />
      </p>
      <Stalled runtime={runtime} />
      <Warnings runtime={runtime} />
      <Moved runtime={runtime} />
      <AsReported runtime={runtime} />
      <div className="grid items-start gap-x-4 xl:grid-cols-[minmax(0,1fr)_412px]">
        <div className="min-w-0 items-start gap-x-4 min-[1800px]:grid min-[1800px]:grid-cols-2">
          <div className="min-w-0">
            {runtime.status !== 'RUNNING' && <LatestLines runtime={runtime} />}
            {runtime.type === 'MI' ? (
              <MicroIntegrator runtime={runtime} search={search} onAsk={setQuestion} />
            ) : (
              <Services
                runtime={runtime}
                filter={search.services ?? ''}
                onFilter={(services) => change({ services: services || undefined }, true)}
                {...more}
              />
            )}
          </div>
          <div className="min-w-0">
            {(runtime.type !== 'MI' || runtime.listenerCount > 0) && <Listeners runtime={runtime} {...more} />}
            <Consumers runtime={runtime} {...more} />
            <Schedules runtime={runtime} {...more} />
            {(runtime.type !== 'MI' || runtime.logLevels.totalCount > 0) && (
              <LogLevels
                runtime={runtime}
                filter={search.filter ?? ''}
                onFilter={(filter) => change({ filter: filter || undefined }, true)}
                {...more}
              />
            )}
            {runtime.status === 'RUNNING' && <LatestLines runtime={runtime} />}
            <Commands runtimeId={runtime.id} />
          </div>
        </div>
        <div className="min-w-0">
          <Traffic runtime={runtime} />
          <Process runtime={runtime} />
          <Identity runtime={runtime} />
          <LatestEvents runtime={runtime} />
        </div>
      </div>
      {question && (
        <Asking
          runtime={runtime}
          question={question}
          path={search.path}
          onPath={(path) => change({ path })}
          onClose={() => (source ? setSource(undefined) : change({ ask: undefined, path: undefined }))}
        />
      )}
    </>
  )
}

const askOf = ({ question }: Question) => ASKS.find((each) => each === question)

/** What a link asks of the runtime, where that may be asked of it now. */
function askedFor(runtime: RuntimeFacts, ask: RuntimeSearch['ask']): Question | undefined {
  const mayNotEdit = ask === 'USERS' ? mayNot(runtime.permissions, 'INTEGRATION_MGT_EDIT') : undefined
  const isKnown = ask === 'LOGGERS' ? runtime.type !== 'BI' : runtime.type === 'MI'
  return ask && isKnown && !mayNotEdit && !askBlockedFor(runtime) ? { question: ask } : undefined
}

type MicroIntegratorProps = { runtime: RuntimeFacts; search: RuntimeSearch; onAsk: (question: Question) => void }

function MicroIntegrator({ runtime, search, onAsk }: MicroIntegratorProps) {
  const change = useSearchState<RuntimeSearch>()
  const askBlocked = askBlockedFor(runtime)
  return (
    <Artifacts
      runtime={runtime}
      search={search}
      onSearch={(next) => change(next, true)}
      askBlocked={askBlocked}
      onSource={(kind, name) => onAsk({ question: 'SOURCE', kind, name })}
    />
  )
}

/** It is well, and yet not as it was asked to be: why, and where that is seen to. */
function Stalled({ runtime: { changes, project, integration, environment } }: { runtime: RuntimeFacts }) {
  if (changes.state !== 'STALLED') return null
  return (
    <section
      aria-label={changeWords.stalledTitle}
      className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border border-line bg-warn-soft px-3.5 py-2"
    >
      <OctagonAlert size={15} className="shrink-0 text-warn" aria-hidden />
      <p className="min-w-0 flex-1 basis-64">
        <strong className="font-semibold">{changeWords.stalledTitle}.</strong> <Said text={changes.reason} />
      </p>
      <a href="#commands" className={buttonClass('plain', true)}>
        {changeWords.seeCommands}
      </a>
      <Link
        {...to.steering(project.handle, integration.handle, { environment: environment.handle, differing: true })}
        className={buttonClass('plain', true)}
      >
        {changeWords.steer}
      </Link>
    </section>
  )
}

function Moved({ runtime: { movedTo } }: { runtime: RuntimeFacts }) {
  if (!movedTo) return null
  return (
    <p className="-mt-1.5 mb-2.5 flex flex-wrap items-center gap-x-1.5 text-muted">
      <CornerUpRight size={14} className="text-faint" aria-hidden />
      {words.moved}
      <Link {...to.runtime(movedTo.id)} className="mono link">
        {runtimeLabel(movedTo)}
      </Link>
      {movedTo.project.displayName} / {movedTo.integration.displayName} · {movedTo.environment.displayName}
    </p>
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
