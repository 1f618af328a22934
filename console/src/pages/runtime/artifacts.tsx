import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import type { ArtifactFactsFragment, ArtifactKind } from '@/api/generated/operations'
import { artifactsQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { runtime as words } from '@/strings/runtimes'
import { kindNames } from '@/strings/steering'
import { Button } from '@/ui/button'
import { Select } from '@/ui/field'
import { More } from '@/ui/more'
import { Card } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { State } from '@/ui/status'
import { ARTIFACT_KINDS, STEERABLE_KINDS } from '@/util/choices'
import type { RuntimeSearch } from '@/util/search'
import { FactValue } from './fact-value'
import { SteerLink } from './hosted'
import type { RuntimeFacts } from './index'

type ArtifactsProps = {
  runtime: RuntimeFacts
  search: RuntimeSearch
  onSearch: (next: Partial<RuntimeSearch>) => void
  /** Why the runtime cannot be asked for a definition now, or undefined. */
  askBlocked: string | undefined
  onSource: (kind: ArtifactKind, name: string) => void
}

/** Everything that Micro Integrator hosts, in one list: kinds are told apart, not put on pages of their own. */
export function Artifacts({ runtime, search, onSearch, askBlocked, onSource }: ArtifactsProps) {
  const { kind, artifacts: text = '' } = search
  const query = useInfiniteQuery({
    ...artifactsQuery(runtime.id, kind ?? null, text),
    placeholderData: keepPreviousData,
  })
  const rows = query.data?.pages.flatMap((page) => page.nodes) ?? []
  const total = query.data?.pages[0]?.totalCount ?? 0
  return (
    <Card
      title={words.artifacts}
      label={words.artifacts}
      beside={<span className="nums text-muted">{query.data && total}</span>}
      actions={<SteerLink runtime={runtime} what={words.artifacts} />}
    >
      <div className="flex flex-wrap gap-2 border-b border-line px-3.5 py-2">
        <SearchBox
          label={words.artifactsSearch}
          value={text}
          onSearch={(next) => onSearch({ artifacts: next || undefined })}
        />
        <Select
          aria-label={words.artifactsKind}
          value={kind ?? ''}
          onChange={(event) => onSearch({ kind: (event.target.value || undefined) as ArtifactKind | undefined })}
          className="w-auto"
        >
          <option value="">{words.allKinds}</option>
          {ARTIFACT_KINDS.map((each) => (
            <option key={each} value={each}>
              {kindNames[each][1]}
            </option>
          ))}
        </Select>
      </div>
      {query.isPending ? (
        <Skeleton label={words.artifactsWhat} />
      ) : query.isError && rows.length === 0 ? (
        <CouldNotLoad what={words.artifactsWhat} error={query.error} onRetry={() => void query.refetch()} />
      ) : rows.length === 0 ? (
        text ? (
          <Empty
            title={strings.noMatch(text)}
            action={<Button onClick={() => onSearch({ artifacts: undefined })}>{strings.clearSearch}</Button>}
          />
        ) : (
          <Empty title={kind ? words.noArtifactsOfKind(kindNames[kind][1]) : words.noArtifacts} />
        )
      ) : (
        <ul className="divide-y divide-line">
          {rows.map((artifact) => (
            <ArtifactRow
              key={`${artifact.kind} ${artifact.package} ${artifact.name}`}
              artifact={artifact}
              runtime={runtime}
              askBlocked={askBlocked}
              onSource={() => onSource(artifact.kind, artifact.name)}
            />
          ))}
        </ul>
      )}
      <More
        shown={rows.length}
        total={total}
        onMore={() => void query.fetchNextPage()}
        loading={query.isFetchingNextPage}
        failed={query.isFetchNextPageError && strings.couldNotLoad(words.artifactsWhat)}
      />
    </Card>
  )
}

type ArtifactRowProps = {
  artifact: ArtifactFactsFragment
  runtime: RuntimeFacts
  askBlocked: string | undefined
  onSource: () => void
}

function ArtifactRow({ artifact, runtime, askBlocked, onSource }: ArtifactRowProps) {
  const { kind, name, package: from, state, tracing, statistics, facts } = artifact
  const unheard = runtime.status !== 'RUNNING'
  const steerable = STEERABLE_KINDS.find((each) => each === kind)
  return (
    <li className="grid items-start gap-x-3 px-3.5 py-1.5 sm:grid-cols-[148px_minmax(0,1fr)_auto]">
      <span className="text-muted">{kindNames[kind][0]}</span>
      <div className="min-w-0">
        <div className="flex flex-wrap items-center gap-x-3">
          <span className="mono font-medium [overflow-wrap:anywhere]">{name}</span>
          {from && <code className="text-faint">{from}</code>}
          {state && <State state={state} unheard={unheard} />}
          {tracing === 'ENABLED' && <span className="text-warn">{words.tracing}</span>}
          {statistics === 'ENABLED' && <span className="text-warn">{words.statistics}</span>}
        </div>
        {facts.length > 0 && (
          <details className="text-[12px] text-muted">
            <summary aria-label={words.detailsOf(name)} className="w-fit">
              {words.details}
            </summary>
            <dl className="grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4">
              {facts.map((fact) => (
                <div key={fact.name} className="contents">
                  <dt>{fact.name}</dt>
                  <dd className="min-w-0 text-ink">
                    <FactValue name={`${name}: ${fact.name}`} value={fact.value} />
                  </dd>
                </div>
              ))}
            </dl>
          </details>
        )}
      </div>
      <span className="flex items-center gap-1">
        <Button small look="quiet" aria-label={words.sourceOf(name)} blocked={askBlocked} onClick={onSource}>
          {words.source}
        </Button>
        {steerable && <SteerLink runtime={runtime} kind={steerable} name={name} what={name} />}
      </span>
    </li>
  )
}
