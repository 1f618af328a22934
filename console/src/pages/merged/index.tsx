import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useParams, useSearch } from '@tanstack/react-router'
import { CircleCheck, TriangleAlert } from 'lucide-react'
import { useCallback } from 'react'
import { MergedArtifactsDocument, type MergedArtifactsQuery } from '@/api/generated/people'
import { mergedQuery } from '@/api/people-queries'
import { environmentsQuery, integrationQuery, PAGE_SIZE } from '@/api/queries'
import { merged as words } from '@/strings/changing'
import { runtimes as runtimeWords } from '@/strings/runtimes'
import { missing } from '@/strings/shell'
import { kindNames } from '@/strings/steering'
import { Choose } from '@/ui/choose'
import { CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { CriticalBadge, State } from '@/ui/status'
import { ARTIFACT_KINDS } from '@/util/choices'
import { PATH } from '@/util/paths'
import type { MergedSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { RuntimeNames } from '../steering/observed'
import { Variants } from './variants'

type Row = NonNullable<MergedArtifactsQuery['mergedArtifacts']>['nodes'][number]

/** Every artifact of an integration once, in one environment at a time. */
export function MergedPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationArtifacts}` })
  const search = useSearch({ from: `/shell${PATH.integrationArtifacts}` })
  const change = useSearchState<MergedSearch>()
  const known = useQuery(integrationQuery(project, integration))
  const environments = useQuery(environmentsQuery)
  const all = environments.data?.nodes ?? []
  const environment = search.environment ? all.find((each) => each.handle === search.environment) : all[0]
  if (known.data === null) return <Missing what={missing.kinds.integration} />
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
                document={MergedArtifactsDocument}
                variables={{ project, integration, environment: environment.handle, first: PAGE_SIZE }}
              />
            )}
            <Choose
              label={runtimeWords.environmentFilter}
              value={environment?.handle}
              onChange={(next) => change({ environment: next })}
              choices={all.map(({ handle, displayName }) => [handle, displayName])}
            />
          </>
        }
      />
      <p className="-mt-2 mb-3 text-muted">{words.note}</p>
      {environments.isPending ? (
        <Skeleton label={words.what} />
      ) : environments.isError && all.length === 0 ? (
        <CouldNotLoad
          what={runtimeWords.environments}
          error={environments.error}
          onRetry={() => void environments.refetch()}
        />
      ) : environment ? (
        <InEnvironment place={{ project, integration, environment: environment.handle }} search={search} />
      ) : (
        <Empty title={runtimeWords.noSuchEnvironment(search.environment ?? '')} />
      )}
    </>
  )
}

const columns: ListColumn<Row>[] = [
  { key: 'kind', title: words.columns.kind, className: 'text-muted', cell: ({ kind }) => kindNames[kind][0] },
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ name, package: from }) => (
      <>
        <span className="mono font-medium [overflow-wrap:anywhere]">{name}</span>{' '}
        {from && <code className="text-faint">{from}</code>}
      </>
    ),
  },
  { key: 'state', title: words.columns.state, cell: ({ state }) => <State state={state} unheard={false} /> },
  {
    key: 'hosted',
    title: words.columns.hosted,
    className: 'hidden sm:table-cell',
    cell: ({ hostedBy, hostCount }) => (
      <details>
        <summary className="nums w-fit">{words.hosts(hostCount)}</summary>
        <RuntimeNames runtimes={hostedBy} count={hostCount} />
      </details>
    ),
  },
  {
    key: 'agree',
    title: words.columns.agree,
    className: 'w-full',
    cell: ({ inSync, missingOn, missingCount, variants, name }) =>
      inSync ? (
        <span className="inline-flex items-center gap-1 text-ok">
          <CircleCheck size={13} aria-hidden />
          {words.inSync}
        </span>
      ) : (
        <div className="space-y-0.5">
          <span className="inline-flex items-center gap-1 font-medium text-warn">
            <TriangleAlert size={13} aria-hidden />
            {words.differs}
          </span>
          {missingCount > 0 && (
            <div>
              {words.missingOn} <RuntimeNames runtimes={missingOn} count={missingCount} />
            </div>
          )}
          {variants.length > 1 && <Variants name={name} variants={variants} />}
        </div>
      ),
  },
]

type InEnvironmentProps = { place: { project: string; integration: string; environment: string }; search: MergedSearch }

function InEnvironment({ place, search: { kind, search = '', differing, failed } }: InEnvironmentProps) {
  const change = useSearchState<MergedSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const filter = { kind: kind ?? null, search, onlyDiffering: differing ?? false, onlyFailed: failed ?? false }
  const query = useInfiniteQuery({ ...mergedQuery(place, filter), placeholderData: keepPreviousData })
  const count = query.data?.pages[0]?.differing
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchBox label={words.search} value={search} onSearch={onSearch} />
        <Choose
          label={words.kinds}
          all={words.all}
          value={kind}
          onChange={(next) => change({ kind: next }, true)}
          choices={ARTIFACT_KINDS.map((each) => [each, kindNames[each][1]])}
        />
        <label className="flex items-center gap-1.5">
          <input
            type="checkbox"
            checked={differing ?? false}
            onChange={(event) => change({ differing: event.target.checked || undefined }, true)}
            className="accent-solid"
          />
          {words.onlyDiffering}
        </label>
        <label className="flex items-center gap-1.5">
          <input
            type="checkbox"
            checked={failed ?? false}
            onChange={(event) => change({ failed: event.target.checked || undefined }, true)}
            className="accent-solid"
          />
          {words.onlyFailed}
        </label>
        <span role="status" className="nums text-muted">
          {count === undefined ? '' : count > 0 ? words.differing(count) : words.agree}
        </span>
      </div>
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => `${row.kind} ${row.package} ${row.name}`}
        search={search}
        filtered={Boolean(kind || differing || failed)}
        onClearSearch={() => change({ search: undefined, kind: undefined, differing: undefined, failed: undefined })}
        empty={<Empty title={words.emptyTitle}>{words.emptyText}</Empty>}
      />
    </>
  )
}
