import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { EnvironmentRowFragment, IntegrationRowFragment, RuntimeFilter } from '@/api/generated/operations'
import { integrationsQuery, PAGE_SIZE } from '@/api/queries'
import { strings, typeNames } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { More } from '@/ui/more'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { PATH } from '@/util/paths'
import type { RuntimesSearch } from '@/util/search'
import { useGenerateBlocked } from '../secrets/use-generate-blocked'
import { RuntimeGroup, type Shared } from './runtime-group'

type Scope = Pick<RuntimeFilter, 'project' | 'integration'>
/** What the page looks for among the runtimes of a group. */
type Narrow = Pick<RuntimeFilter, 'environment' | 'statuses' | 'type' | 'search'>
type GroupProps = Shared & { scope: Scope; narrow: Narrow; search: RuntimesSearch }

const NOBODY = <Empty title={words.emptyHere}>{words.emptyText}</Empty>

/** Columns that say the same in each row of an integration's page. */
const ofScope = ({ integration }: Scope) => (integration ? ['integration'] : [])

/** The runtimes of one environment. */
export function EnvironmentGroup(props: GroupProps & { environment: EnvironmentRowFragment; onAdd: () => void }) {
  const { environment, scope, narrow, search, onAdd, ...shared } = props
  const { project, integration } = scope
  const addBlocked = useGenerateBlocked(environment, project && integration ? { project, integration } : undefined)
  const { handle, displayName, critical, runtimes } = environment
  return (
    <RuntimeGroup
      {...shared}
      label={displayName}
      title={
        <>
          {displayName}
          <code className="font-normal text-faint">{handle}</code>
          {critical && <CriticalBadge />}
        </>
      }
      filter={{ ...scope, ...narrow, environment: handle }}
      without={['environment', ...ofScope(scope)]}
      counts={scope.project || shared.narrowed ? undefined : runtimes}
      expected={scope.project ? 2 : runtimes.total}
      own={{ to: '.', search: { ...search, environment: handle } }}
      actions={
        <Button small onClick={onAdd} blocked={addBlocked} aria-label={`${words.add}: ${displayName}`}>
          {words.add}
        </Button>
      }
      empty={
        <Empty
          title={words.emptyTitle(displayName)}
          action={
            <Button look="solid" onClick={onAdd} blocked={addBlocked}>
              {words.add}
            </Button>
          }
        >
          {words.emptyText}
        </Empty>
      }
    />
  )
}

/** All runtimes of the page in one list. */
export function OneGroup({ scope, narrow, search: _, ...shared }: GroupProps) {
  return (
    <RuntimeGroup
      {...shared}
      label={words.all}
      title={words.all}
      filter={{ ...scope, ...narrow }}
      without={[...ofScope(scope), ...(narrow.environment ? ['environment'] : [])]}
      expected={8}
      empty={NOBODY}
    />
  )
}

/** The runtimes by integration, as many integrations as are loaded; those without any are only counted. */
export function IntegrationGroups(props: Omit<GroupProps, 'alone'>) {
  const { scope, narrow } = props
  const query = useInfiniteQuery(
    integrationsQuery(scope.project ?? null, '', PAGE_SIZE, { runtimeType: narrow.type ?? null, sort: null }),
  )
  const all = query.data?.pages.flatMap((page) => page.nodes) ?? []
  const inhabited = all.filter((each) => each.runtimes.total > 0)
  if (query.isPending) return <Skeleton label={words.whatIntegrations} rows={8} />
  if (query.isError && all.length === 0) {
    return <CouldNotLoad what={words.whatIntegrations} error={query.error} onRetry={() => void query.refetch()} />
  }
  if (all.length === 0) return <Empty title={words.noIntegrations}>{words.noIntegrationsText}</Empty>
  return (
    <>
      {inhabited.map((each) => (
        <IntegrationGroup
          {...props}
          key={`${each.project.handle}/${each.handle}`}
          integration={each}
          alone={inhabited.length === 1 && !query.hasNextPage}
        />
      ))}
      {all.length > inhabited.length && (
        <p className="mb-3 text-muted">{words.withoutRuntimes(all.length - inhabited.length)}</p>
      )}
      <More
        shown={all.length}
        total={query.data?.pages[0]?.totalCount ?? 0}
        onMore={() => void query.fetchNextPage()}
        loading={query.isFetchingNextPage}
        failed={query.isFetchNextPageError && strings.couldNotLoad(words.whatIntegrations)}
      />
    </>
  )
}

function IntegrationGroup(props: GroupProps & { integration: IntegrationRowFragment }) {
  const { integration: row, scope: _, narrow, search, ...shared } = props
  const { handle, displayName, runtimeType, runtimes } = row
  const project = row.project.handle
  const { group: _group, ...kept } = search
  const own = {
    to: PATH.integrationRuntimes,
    params: { project, integration: handle },
    search: { ...kept, group: 'none' },
  } as const
  return (
    <RuntimeGroup
      {...shared}
      label={`${row.project.displayName} / ${displayName}`}
      title={
        <>
          <span className="font-normal text-muted">{row.project.displayName} /</span>
          <Link {...own} className="link">
            {displayName}
          </Link>
          <span className="font-normal text-faint" data-tip={typeNames[runtimeType].long}>
            {typeNames[runtimeType].short}
          </span>
        </>
      }
      filter={{ ...narrow, project, integration: handle }}
      without={['integration', 'type', ...(narrow.environment ? ['environment'] : [])]}
      counts={shared.narrowed || narrow.environment ? undefined : runtimes}
      expected={runtimes.total}
      own={own}
      empty={NOBODY}
    />
  )
}
