import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { TriangleAlert } from 'lucide-react'
import { useState } from 'react'
import {
  type SteerableFactsFragment,
  type SteerableKind,
  SteeringDocument,
  type SteeringQuery,
} from '@/api/generated/operations'
import { environmentsQuery, integrationQuery, PAGE_SIZE, type Place, steeringQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { runtimes as runtimeWords } from '@/strings/runtimes'
import { missing } from '@/strings/shell'
import { kindNames, steering as words } from '@/strings/steering'
import { environments as environmentWords } from '@/strings/tenancy'
import { Button, buttonClass } from '@/ui/button'
import { CopyGraphql } from '@/ui/copy'
import { Select } from '@/ui/field'
import { More } from '@/ui/more'
import { Card, PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { STEERABLE_KINDS } from '@/util/choices'
import { PATH, to } from '@/util/paths'
import { useMayNotIn } from '@/util/permissions'
import type { SteeringSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AspectEntry } from './aspect'
import { DriftCard } from './drift'
import { RuntimeNames } from './observed'
import { OtherLogger } from './other-logger'
import { RunNow } from './run-now'
import { SteeringContext, useSeenCommands } from './use-steering'

type Facts = NonNullable<SteeringQuery['steering']>

/** What can be steered of one integration, in one environment at a time. */
export function SteeringPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationSteering}` })
  const search = useSearch({ from: `/shell${PATH.integrationSteering}` })
  const known = useQuery(integrationQuery(project, integration))
  const environments = useQuery(environmentsQuery)
  const change = useSearchState<SteeringSearch>()
  if (known.data === null) return <Missing what={missing.kinds.integration} />
  const all = environments.data?.nodes ?? []
  const environment = search.environment ? all.find((each) => each.handle === search.environment) : all[0]
  return (
    <>
      <PageHead
        title={words.of(known.data?.displayName ?? integration)}
        early={!known.data}
        note={environment?.critical && <CriticalBadge />}
        actions={
          <>
            {environment && (
              <CopyGraphql
                document={SteeringDocument}
                variables={{ project, integration, environment: environment.handle, first: PAGE_SIZE }}
              />
            )}
            <Select
              aria-label={words.environment}
              value={environment?.handle ?? ''}
              onChange={(event) => change({ environment: event.target.value })}
              className="w-auto"
            >
              {!environment && <option value="">{search.environment ?? strings.loading}</option>}
              {all.map(({ handle, displayName, critical }) => (
                <option key={handle} value={handle}>
                  {displayName}
                  {critical ? ` – ${strings.critical}` : ''}
                </option>
              ))}
            </Select>
          </>
        }
      />
      <p className="-mt-2 mb-3 text-muted">{words.note}</p>
      {environments.isPending ? (
        <Skeleton label={words.what} rows={10} />
      ) : environments.isError && all.length === 0 ? (
        <CouldNotLoad
          what={runtimeWords.environments}
          error={environments.error}
          onRetry={() => void environments.refetch()}
        />
      ) : environment ? (
        <InEnvironment
          key={environment.handle}
          place={{ project, integration, environment: environment.handle }}
          search={search}
        />
      ) : search.environment ? (
        <Empty
          title={runtimeWords.noSuchEnvironment(search.environment)}
          action={<Button onClick={() => change({ environment: undefined })}>{words.showAll}</Button>}
        />
      ) : (
        <Empty
          title={words.noEnvironment}
          action={
            <Link {...to.createEnvironment()} className={buttonClass('solid')}>
              {environmentWords.create}
            </Link>
          }
        >
          {words.noEnvironmentText}
        </Empty>
      )}
    </>
  )
}

function InEnvironment({ place, search }: { place: Place; search: SteeringSearch }) {
  const change = useSearchState<SteeringSearch>()
  const filter = { kind: search.kind ?? null, search: search.search ?? '', onlyDiffering: search.differing ?? false }
  const query = useInfiniteQuery({ ...steeringQuery(place, filter), placeholderData: keepPreviousData })
  const blocked = useMayNotIn('INTEGRATION_MGT_EDIT', place)
  const { seen, remember } = useSeenCommands(place)
  const [adding, setAdding] = useState(false)
  const facts = query.data?.pages.at(0)
  if (query.isPending) return <Skeleton label={words.what} rows={10} />
  if (facts === undefined) {
    return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  }
  if (facts === null) return <Missing what={missing.kinds.integration} />
  const artifacts = query.data?.pages.flatMap((page) => page?.artifacts.nodes ?? []) ?? []
  const { environment, notRunning, runtimeCount, runningCount, type } = facts
  const resting = { named: notRunning, count: runtimeCount - runningCount }
  const narrowed = Boolean(search.kind || search.search || search.differing)
  return (
    <SteeringContext.Provider value={{ place, environment, type, resting, seen, remember, blocked }}>
      <DriftCard drift={facts.drift} onShow={(name, kind) => change({ search: name, kind, differing: undefined })} />
      <Narrow facts={facts} search={search} onOther={() => setAdding(true)} blocked={blocked} />
      {runtimeCount === 0 && artifacts.length === 0 && !narrowed ? (
        <Nobody place={place} environment={environment.displayName} />
      ) : artifacts.length === 0 ? (
        <div className="rounded-lg border border-line bg-surface">
          {search.search ? (
            <Empty
              title={strings.noMatch(search.search)}
              action={<Button onClick={() => change({ search: undefined })}>{strings.clearSearch}</Button>}
            />
          ) : search.differing ? (
            <Empty
              title={words.noneDiffers}
              action={<Button onClick={() => change({ differing: undefined })}>{words.showAll}</Button>}
            >
              {words.noneDiffersText}
            </Empty>
          ) : (
            <Empty title={words.nothing}>{words.nothingText}</Empty>
          )}
        </div>
      ) : (
        byKind(artifacts).map(([kind, members]) => <KindCard key={kind} kind={kind} artifacts={members} />)
      )}
      {type === 'MI' && !search.kind && <p className="mb-3 text-muted">{words.loggersNotReported}</p>}
      <More
        shown={artifacts.length}
        total={facts.artifacts.totalCount}
        onMore={() => void query.fetchNextPage()}
        loading={query.isFetchingNextPage}
        failed={query.isFetchNextPageError && strings.couldNotLoad(words.what)}
      />
      {adding && (
        <OtherLogger
          type={type}
          onClose={(logger) => {
            setAdding(false)
            if (logger) change({ search: logger, kind: 'LOGGER', differing: undefined })
          }}
        />
      )}
    </SteeringContext.Provider>
  )
}

type NarrowProps = { facts: Facts; search: SteeringSearch; onOther: () => void; blocked: string | undefined }

function Narrow({ facts: { runtimeCount, runningCount, differing }, search, onOther, blocked }: NarrowProps) {
  const change = useSearchState<SteeringSearch>()
  return (
    <div className="mb-3 flex flex-wrap items-center gap-x-3 gap-y-2">
      <SearchBox
        label={words.search}
        value={search.search ?? ''}
        onSearch={(text) => change({ search: text || undefined }, true)}
      />
      <Select
        aria-label={words.kind}
        value={search.kind ?? ''}
        onChange={(event) => change({ kind: (event.target.value || undefined) as SteerableKind | undefined }, true)}
        className="w-auto"
      >
        <option value="">{words.allKinds}</option>
        {STEERABLE_KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {kindNames[kind][1]}
          </option>
        ))}
      </Select>
      <label className="inline-flex cursor-pointer items-center gap-1.5">
        <input
          type="checkbox"
          checked={search.differing ?? false}
          onChange={(event) => change({ differing: event.target.checked || undefined }, true)}
          className="accent-solid"
        />
        {words.onlyDiffering}
      </label>
      <span className="nums text-muted">
        {words.running(runningCount, runtimeCount)}
        {' · '}
        {differing === 0 ? words.agree : <span className="text-warn">{words.differing(differing)}</span>}
      </span>
      <span className="sm:ml-auto">
        <Button small onClick={onOther} blocked={blocked}>
          {words.otherLogger}
        </Button>
      </span>
    </div>
  )
}

function Nobody({ place, environment }: { place: Place; environment: string }) {
  return (
    <div className="rounded-lg border border-line bg-surface">
      <Empty
        title={words.noRuntimes(environment)}
        action={
          <Link
            {...to.integrationRuntimes(place.project, place.integration)}
            search={{ environment: place.environment }}
            className={buttonClass()}
          >
            {words.openRuntimes}
          </Link>
        }
      >
        {words.noRuntimesText}
      </Empty>
    </div>
  )
}

/** The server's order is by kind and name: members of a kind follow each other. */
function byKind(artifacts: SteerableFactsFragment[]): [SteerableKind, SteerableFactsFragment[]][] {
  const kinds = new Map<SteerableKind, SteerableFactsFragment[]>()
  for (const artifact of artifacts) {
    const members = kinds.get(artifact.kind)
    if (members) members.push(artifact)
    else kinds.set(artifact.kind, [artifact])
  }
  return [...kinds]
}

function KindCard({ kind, artifacts }: { kind: SteerableKind; artifacts: SteerableFactsFragment[] }) {
  return (
    <Card
      title={kindNames[kind][1]}
      label={kindNames[kind][1]}
      beside={<span className="nums text-muted">{artifacts.length}</span>}
    >
      <ul className="divide-y divide-line">
        {artifacts.map((artifact) => (
          <ArtifactEntry key={`${artifact.package} ${artifact.name}`} artifact={artifact} />
        ))}
      </ul>
    </Card>
  )
}

function ArtifactEntry({ artifact }: { artifact: SteerableFactsFragment }) {
  const { name, package: from, label, aspects, triggerable, missingOn, missingCount } = artifact
  return (
    <li
      aria-label={name}
      data-row
      tabIndex={-1}
      className="grid items-start gap-x-4 gap-y-1.5 px-3.5 py-2 xl:grid-cols-[minmax(0,300px)_minmax(0,1fr)]"
    >
      <div className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-0.5">
        <h3 className="mono font-medium [overflow-wrap:anywhere]">{name}</h3>
        {label && label !== name && <span className="text-muted [overflow-wrap:anywhere]">{label}</span>}
        {from && <code className="text-faint">{from}</code>}
        {triggerable && <RunNow artifact={artifact} />}
        {missingCount > 0 && (
          <p className="flex basis-full items-start gap-1.5 text-muted">
            <TriangleAlert size={13} className="mt-1 shrink-0 text-warn" aria-hidden />
            <span>
              {words.missingOn} <RuntimeNames runtimes={missingOn} count={missingCount} />. {words.missingFix}
            </span>
          </p>
        )}
      </div>
      <div className="min-w-0 space-y-1.5">
        {aspects.map((aspect) => (
          <AspectEntry key={aspect.aspect} artifact={artifact} facts={aspect} named={aspects.length > 1} />
        ))}
      </div>
    </li>
  )
}
