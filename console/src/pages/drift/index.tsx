import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { NotAsWantedDocument, type NotAsWantedQuery } from '@/api/generated/people'
import { notAsWantedQuery } from '@/api/people-queries'
import { environmentsQuery, LARGEST_PAGE, PAGE_SIZE, projectsQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { drift as words } from '@/strings/drift'
import { place } from '@/strings/place'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { Empty } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { TROUBLES } from '@/util/choices'
import { lists } from '@/util/cli-lists'
import { PATH, to } from '@/util/paths'
import type { DriftSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { countOf } from './tally'

type Row = NotAsWantedQuery['notAsWanted']['nodes'][number]

/** Which integrations are not as wanted, where and in what; every filter stands in the address. */
export function DriftPage() {
  return (
    <OpenTo permission="INTEGRATION_MGT_VIEW" title={words.title} what={words.title}>
      <Drift />
    </OpenTo>
  )
}

const named = ({ integration, environment }: Row, link: string) =>
  words.linkOf(link, integration.displayName, environment.displayName)

const columns: ListColumn<Row>[] = [
  {
    key: 'integration',
    title: words.columns.integration,
    cell: ({ project, integration }) => (
      <span className="inline-flex items-center gap-x-1">
        <Link {...to.project(project.handle)} className="link text-muted">
          {project.displayName}
        </Link>
        <span className="text-faint">/</span>
        <Link {...to.integration(project.handle, integration.handle)} data-row className="link font-medium">
          {integration.displayName}
        </Link>
      </span>
    ),
  },
  {
    key: 'environment',
    title: words.columns.environment,
    cell: ({ environment }) => (
      <span className="inline-flex items-center gap-2">
        {environment.displayName}
        {environment.critical && <CriticalBadge />}
      </span>
    ),
  },
  {
    key: 'running',
    title: words.columns.running,
    className: 'hidden sm:table-cell text-right nums',
    cell: ({ project, integration, environment, running }) => (
      <Link
        {...to.integrationRuntimes(project.handle, integration.handle, { environment: environment.handle })}
        className="link"
      >
        {running}
      </Link>
    ),
  },
  {
    key: 'forms',
    title: words.columns.forms,
    cell: (row) =>
      row.forms > 1 && (
        <Link
          {...to.integration(row.project.handle, row.integration.handle)}
          aria-label={named(row, words.forms(row.forms))}
          className="link nums"
        >
          {words.forms(row.forms)}
        </Link>
      ),
  },
  {
    key: 'failed',
    title: words.columns.failed,
    cell: (row) =>
      row.failed > 0 && (
        <Link
          {...to.integrationArtifacts(row.project.handle, row.integration.handle, {
            environment: row.environment.handle,
            failed: true,
          })}
          aria-label={named(row, words.failed(row.failed))}
          className="link nums"
        >
          {words.failed(row.failed)}
        </Link>
      ),
  },
  {
    key: 'unreached',
    title: words.columns.unreached,
    className: 'w-full',
    cell: (row) =>
      row.unreached > 0 && (
        <Link
          {...to.steering(row.project.handle, row.integration.handle, {
            environment: row.environment.handle,
            differing: true,
          })}
          aria-label={named(row, words.unreached(row.unreached))}
          className="link nums"
        >
          {words.unreached(row.unreached)}
        </Link>
      ),
  },
]

const NOTHING: DriftSearch = { project: undefined, environment: undefined, trouble: undefined }

function Drift() {
  const { project, environment, trouble } = useSearch({ from: `/shell${PATH.drift}` })
  const change = useSearchState<DriftSearch>()
  const filter = { project: project ?? null, environment: environment ?? null, trouble: trouble ?? null }
  const query = useInfiniteQuery({ ...notAsWantedQuery(filter), placeholderData: keepPreviousData })
  const projects = useInfiniteQuery(projectsQuery('', LARGEST_PAGE))
  const environments = useQuery(environmentsQuery)
  const tally = query.data?.pages[0]
  const filtered = Boolean(project || environment || trouble)
  const names = (rows: { handle: string; displayName: string }[] | undefined) =>
    (rows ?? []).map(({ handle, displayName }) => [handle, displayName] as const)
  return (
    <>
      <PageHead
        title={words.title}
        actions={
          <>
            <CopyCli command={lists.drift({ project, environment, trouble })} />
            <CopyGraphql document={NotAsWantedDocument} variables={{ filter, first: PAGE_SIZE }} />
          </>
        }
      />
      <p className="-mt-2 mb-3 max-w-prose text-muted">{words.note}</p>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <Choose
          label={words.trouble}
          all={tally ? `${words.all} (${tally.places})` : words.all}
          value={trouble}
          onChange={(next) => change({ trouble: next }, true)}
          choices={TROUBLES.map((each) => [
            each,
            tally ? `${words.troubles[each]} (${countOf(tally, each)})` : words.troubles[each],
          ])}
        />
        <Choose
          label={place.project}
          all={place.allProjects}
          value={project}
          onChange={(next) => change({ project: next }, true)}
          choices={names(projects.data?.pages[0]?.nodes)}
        />
        <Choose
          label={place.environment}
          all={place.allEnvironments}
          value={environment}
          onChange={(next) => change({ environment: next }, true)}
          choices={names(environments.data?.nodes)}
        />
        {filtered && (
          <Button look="quiet" onClick={() => change(NOTHING)}>
            {strings.clearFilters}
          </Button>
        )}
      </div>
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={({ project: of, integration, environment: where }) =>
          `${of.handle} ${integration.handle} ${where.handle}`
        }
        filtered={filtered}
        onClearSearch={() => change(NOTHING)}
        empty={<Empty title={words.emptyTitle}>{words.emptyText}</Empty>}
      />
    </>
  )
}
