import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import type { EnvironmentRowFragment, RuntimeFilter } from '@/api/generated/operations'
import { environmentsQuery, integrationQuery, projectQuery } from '@/api/queries'
import { useScope } from '@/shell/scope'
import { statusNames, typeNames } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { missing } from '@/strings/shell'
import { environments as environmentWords } from '@/strings/tenancy'
import { Button, buttonClass } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { CopyCli } from '@/ui/copy'
import { More } from '@/ui/more'
import { PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { RUNTIME_GROUPS, RUNTIME_SORTS, STATUSES, TYPES } from '@/util/choices'
import { cli } from '@/util/cli'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { RuntimesSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { EnvironmentGroup, IntegrationGroups, OneGroup } from './groups'
import { RefusalsNotice } from './refusals-notice'
import { useBulkRun } from './use-bulk'
import { type Selection, useSelection } from './use-selection'

export function OrganizationRuntimesPage() {
  return <RuntimesPage title={words.title} />
}

export function ProjectRuntimesPage() {
  const { project = '' } = useScope()
  const query = useQuery(projectQuery(project))
  if (query.data === null) return <Missing what={missing.kinds.project} />
  return <RuntimesPage title={words.of(query.data?.displayName ?? project)} early={!query.data} scope={{ project }} />
}

export function IntegrationRuntimesPage() {
  const { project = '', integration = '' } = useScope()
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  return (
    <RuntimesPage
      title={words.of(query.data?.displayName ?? integration)}
      early={!query.data}
      scope={{ project, integration }}
    />
  )
}

const AddRuntime = lazily(async () => (await import('./add-runtime')).AddRuntime)
const SelectionBar = lazily(async () => (await import('./selection-bar')).SelectionBar)
const RefusalsPanel = lazily(async () => (await import('./refusals-panel')).RefusalsPanel)

/** Each environment reads its own list: that many at a time. */
const CARDS = 20

type RuntimesPageProps = { title: string; early?: boolean; scope?: { project?: string; integration?: string } }

/** Runtimes of a scope in groups; what is looked for, how they are grouped and what is open stands in the address. */
function RuntimesPage({ title, early, scope = {} }: RuntimesPageProps) {
  const search: RuntimesSearch = useSearch({ strict: false })
  const environments = useQuery(environmentsQuery)
  const mayNot = useBlocked()
  const blocked = mayNot('ENVIRONMENT_MGT_MANAGE_NONPROD')
  const change = useSearchState<RuntimesSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const all = environments.data?.nodes ?? []
  const shown = search.environment ? all.filter((each) => each.handle === search.environment) : all
  const { project, integration } = scope
  const selection = useSelection()
  const run = useBulkRun()
  const [wasAsked, setWasAsked] = useState(false)
  if (search.refusals && !wasAsked) setWasAsked(true) // most never ask why heartbeats are refused, and load nothing for it
  const group = integration && search.group === 'integration' ? undefined : search.group
  const narrow = {
    ...(search.status ? { statuses: [search.status] } : {}),
    ...(search.type ? { type: search.type } : {}),
    ...(search.search ? { search: search.search } : {}),
  }
  const target = project && integration ? { project, integration } : undefined
  const addBlocked = target ? mayNot('ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE') : blocked
  return (
    <>
      <PageHead
        title={title}
        early={early}
        actions={
          <>
            {/* The command line has no filter by type. */}
            {!search.type && <CopyCli command={cli.listRuntimes({ ...search, ...scope })} />}
            <SearchBox label={words.search} value={search.search ?? ''} onSearch={onSearch} />
            <Choose
              label={words.statusFilter}
              all={words.allStatuses}
              value={search.status}
              onChange={(status) => change({ status }, true)}
              choices={STATUSES.map((each) => [each, statusNames[each]])}
            />
            {!integration && (
              <Choose
                label={words.columns.type}
                all={words.allTypes}
                value={search.type}
                onChange={(type) => change({ type }, true)}
                choices={TYPES.map((each) => [each, typeNames[each].short])}
              />
            )}
            <Choose
              label={words.environmentFilter}
              all={words.allEnvironments}
              value={search.environment}
              onChange={(environment) => change({ environment }, true)}
              choices={all.map(({ handle, displayName }) => [handle, displayName])}
            />
            <Choose
              label={words.groupBy}
              all={words.groups.environment}
              value={group}
              onChange={(next) => change({ group: next }, true)}
              choices={RUNTIME_GROUPS.filter((each) => each === 'none' || !integration).map((each) => [
                each,
                words.groups[each],
              ])}
            />
            <Choose
              label={words.order}
              all={words.orders.NAME}
              value={search.sort}
              onChange={(sort) => change({ sort }, true)}
              choices={RUNTIME_SORTS.map((each) => [each, words.orders[each]])}
            />
            <Button look="solid" blocked={addBlocked} onClick={() => change({ add: search.environment ?? '' })}>
              {words.add}
            </Button>
          </>
        }
      />
      {!blocked && <RefusalsNotice onShow={() => change({ refusals: true })} />}
      {environments.isPending && !group ? (
        <Skeleton label={words.environments} rows={8} />
      ) : environments.isError && all.length === 0 ? (
        <CouldNotLoad
          what={words.environments}
          error={environments.error}
          onRetry={() => void environments.refetch()}
        />
      ) : all.length === 0 && environments.data ? (
        <Empty
          title={words.noEnvironmentTitle}
          action={
            <Link {...to.createEnvironment()} className={buttonClass('solid')}>
              {environmentWords.create}
            </Link>
          }
        >
          {words.noEnvironmentText}
        </Empty>
      ) : shown.length === 0 && environments.data ? (
        <Empty
          title={words.noSuchEnvironment(search.environment ?? '')}
          action={<Button onClick={() => change({ environment: undefined })}>{words.showAll}</Button>}
        />
      ) : (
        <Groups group={group} shown={shown} search={search} scope={scope} narrow={narrow} selection={selection} />
      )}
      {search.add !== undefined && !addBlocked && (
        <AddRuntime environment={search.add} target={target} onClose={() => change({ add: undefined })} />
      )}
      {(selection.rows.size > 0 || run) && <SelectionBar selection={selection} run={run} />}
      {!blocked && wasAsked && (
        <RefusalsPanel
          open={search.refusals === true}
          onOpenChange={(open) => change({ refusals: open || undefined })}
        />
      )}
    </>
  )
}

type GroupsProps = {
  group: RuntimesSearch['group']
  /** The environments that the page is about. */
  shown: EnvironmentRowFragment[]
  search: RuntimesSearch
  scope: NonNullable<RuntimesPageProps['scope']>
  narrow: Pick<RuntimeFilter, 'statuses' | 'type' | 'search'>
  selection: Selection
}

function Groups({ group, shown, search, scope, narrow, selection }: GroupsProps) {
  const change = useSearchState<RuntimesSearch>()
  const [cards, setCards] = useState(CARDS)
  const shared = {
    selection,
    search,
    scope,
    sort: search.sort ?? 'NAME',
    narrowed: Object.keys(narrow).length > 0,
    onClear: () => change({ status: undefined, type: undefined, search: undefined }),
  } as const
  const inEnvironment = { ...narrow, ...(search.environment ? { environment: search.environment } : {}) }
  if (group === 'none') return <OneGroup {...shared} narrow={inEnvironment} alone />
  if (group === 'integration') return <IntegrationGroups {...shared} narrow={inEnvironment} />
  return (
    <>
      {shown.slice(0, cards).map((environment) => (
        <EnvironmentGroup
          {...shared}
          key={environment.handle}
          environment={environment}
          narrow={narrow}
          alone={shown.length === 1}
          onAdd={() => change({ add: environment.handle })}
        />
      ))}
      {shown.length > cards && <More shown={cards} total={shown.length} onMore={() => setCards(cards + CARDS)} />}
    </>
  )
}
