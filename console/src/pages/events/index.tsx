import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { type EventFilter, type EventRowFragment, EventsDocument } from '@/api/generated/people'
import { integrationQuery, PAGE_SIZE, runtimeQuery } from '@/api/queries'
import { audit, events as words } from '@/strings/audit'
import { strings, tabs as tabWords } from '@/strings/common'
import { runtime as runtimeWords } from '@/strings/runtimes'
import { missing } from '@/strings/shell'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { FilterField, FromTo } from '@/ui/filter-field'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { Said } from '@/ui/said'
import { Empty, Missing } from '@/ui/states'
import { Tabs } from '@/ui/tabs'
import { lists } from '@/util/cli-lists'
import { PATH, to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import type { EventsSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { PlacePicker, placeInput } from '../access/place-picker'
import { instant } from '../audit/filter'
import { useEvents } from './use-events'

/** What happened to the fleet. */
export function EventsPage() {
  const search = useSearch({ from: `/shell${PATH.events}` })
  return <Events title={words.title} scope={placeInput(search)} picks />
}

export function IntegrationEventsPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationEvents}` })
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  return (
    <Events
      title={words.of(query.data?.displayName ?? integration)}
      early={!query.data}
      scope={{ project, integration }}
    />
  )
}

export function RuntimeEventsPage() {
  const { runtimeId } = useParams({ from: `/shell${PATH.runtimeEvents}` })
  const query = useQuery(runtimeQuery(runtimeId, PAGE_SIZE))
  if (query.data === null) return <Missing what={runtimeWords.kind} />
  const title = query.data ? runtimeLabel(query.data) : runtimeId
  return (
    <Events
      title={title}
      early={!query.data}
      scope={{ runtime: runtimeId }}
      tabs={
        <Tabs
          label={title}
          tabs={[
            { name: tabWords.overview, link: to.runtime(runtimeId) },
            { name: tabWords.events, link: to.runtimeEvents(runtimeId) },
          ]}
        />
      }
    />
  )
}

const where: ListColumn<EventRowFragment> = {
  key: 'where',
  title: words.columns.where,
  className: 'hidden md:table-cell whitespace-nowrap',
  cell: ({ runtime, project, integration, environment }) => (
    <span className="inline-flex items-center gap-x-1.5">
      {project && integration && (
        <Link {...to.integration(project.handle, integration.handle)} className="link">
          {project.displayName} / {integration.displayName}
        </Link>
      )}
      {project && !integration && (
        <Link {...to.project(project.handle)} className="link">
          {project.displayName}
        </Link>
      )}
      {environment && <span className="text-muted">{environment.displayName}</span>}
      {runtime && (
        <Link {...to.runtime(runtime.id)} className="mono link">
          {runtimeLabel(runtime)}
        </Link>
      )}
    </span>
  ),
}

const columns: ListColumn<EventRowFragment>[] = [
  {
    key: 'at',
    title: words.columns.at,
    className: 'whitespace-nowrap text-right text-muted',
    cell: ({ at }) => <Age at={at} ago />,
  },
  { key: 'kind', title: words.columns.kind, cell: ({ kind }) => <code>{kind}</code> },
  {
    key: 'message',
    title: words.columns.message,
    className: 'w-full',
    cell: ({ message }) => <Said text={message} />,
  },
]

type EventsProps = {
  title: string
  early?: boolean
  scope: EventFilter
  picks?: boolean
  tabs?: React.ReactNode
}

function Events({ title, early, scope, picks = false, tabs }: EventsProps) {
  const search: EventsSearch = useSearch({ strict: false })
  const change = useSearchState<EventsSearch>()
  const filter: EventFilter = {
    ...scope,
    kinds: search.kind ? [search.kind] : null,
    from: instant(search.from),
    to: instant(search.to),
  }
  const { query, held, showHeld, setBusy } = useEvents(filter)
  const filtered = Boolean(search.kind || search.from || search.to || (picks && (search.project || search.environment)))
  const clear = () =>
    change({
      kind: undefined,
      from: undefined,
      to: undefined,
      project: undefined,
      integration: undefined,
      environment: undefined,
    })
  return (
    <>
      <PageHead
        title={title}
        early={early}
        actions={
          <>
            <CopyCli command={lists.events(search, filter)} />
            <CopyGraphql document={EventsDocument} variables={{ filter, first: PAGE_SIZE }} />
          </>
        }
      />
      {tabs}
      <p className="-mt-2 mb-3 text-muted">{words.live}</p>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <Choose
          label={words.kind}
          all={words.allKinds}
          value={search.kind}
          onChange={(kind) => change({ kind }, true)}
          choices={Object.entries(words.things)}
        />
        <FromTo>
          <FilterField
            type="datetime-local"
            label={audit.from}
            value={search.from ?? ''}
            onChange={(from) => change({ from })}
          />
          <FilterField
            type="datetime-local"
            label={audit.to}
            value={search.to ?? ''}
            onChange={(to) => change({ to })}
          />
        </FromTo>
        {picks && <PlacePicker place={search} onChange={change} />}
        {filtered && (
          <Button look="quiet" onClick={clear}>
            {strings.clearFilters}
          </Button>
        )}
        {held.length > 0 && (
          <Button small look="solid" onClick={showHeld} className="ml-auto">
            {words.held(held.length)}
          </Button>
        )}
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: pointing at the list only holds back what is new */}
      <div
        onPointerEnter={() => setBusy(true)}
        onPointerLeave={() => setBusy(false)}
        onFocus={() => setBusy(true)}
        onBlur={() => setBusy(false)}
      >
        <List
          what={words.what}
          query={query}
          columns={'runtime' in scope ? columns : [...columns, where]}
          rowKey={(row) => String(row.sequence)}
          filtered={filtered}
          onClearSearch={clear}
          empty={<Empty title={words.emptyTitle}>{words.emptyText}</Empty>}
        />
      </div>
    </>
  )
}
