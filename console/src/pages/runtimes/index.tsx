import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { environmentsQuery, integrationQuery, projectQuery } from '@/api/queries'
import { useScope } from '@/shell/scope'
import { runtimes as words } from '@/strings/runtimes'
import { missing } from '@/strings/shell'
import { environments as environmentWords } from '@/strings/tenancy'
import { Button, buttonClass } from '@/ui/button'
import { Select } from '@/ui/field'
import { More } from '@/ui/more'
import { PageHead } from '@/ui/page'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { RuntimesSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AddRuntime } from './add-runtime'
import { EnvironmentCard } from './environment-card'
import { RefusalsNotice, RefusalsPanel } from './refusals-panel'

export function OrganizationRuntimesPage() {
  return <RuntimesPage title={words.title} />
}

export function ProjectRuntimesPage() {
  const { project = '' } = useScope()
  const query = useQuery(projectQuery(project))
  if (query.data === null) return <Missing what={missing.kinds.project} />
  return <RuntimesPage title={words.of(query.data?.displayName ?? project)} scope={{ project }} />
}

export function IntegrationRuntimesPage() {
  const { project = '', integration = '' } = useScope()
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  return <RuntimesPage title={words.of(query.data?.displayName ?? integration)} scope={{ project, integration }} />
}

/** Each environment reads its own list: that many at a time. */
const CARDS = 20

type RuntimesPageProps = { title: string; scope?: { project?: string; integration?: string } }

/** Runtimes of a scope, one card for each environment; which one, and what is open, stands in the address. */
function RuntimesPage({ title, scope = {} }: RuntimesPageProps) {
  const search: RuntimesSearch = useSearch({ strict: false })
  const environments = useQuery(environmentsQuery)
  const blocked = useBlocked()('ENVIRONMENT_MGT_MANAGE_NONPROD')
  const change = useSearchState<RuntimesSearch>()
  const [cards, setCards] = useState(CARDS)
  const all = environments.data?.nodes ?? []
  const shown = search.environment ? all.filter((each) => each.handle === search.environment) : all
  const { project, integration } = scope
  const target = project && integration ? { project, integration } : undefined
  return (
    <>
      <PageHead
        title={title}
        actions={
          <>
            <Select
              aria-label={words.environmentFilter}
              value={search.environment ?? ''}
              onChange={(event) => change({ environment: event.target.value || undefined }, true)}
              className="w-auto"
            >
              <option value="">{words.allEnvironments}</option>
              {all.map(({ handle, displayName }) => (
                <option key={handle} value={handle}>
                  {displayName}
                </option>
              ))}
            </Select>
            <Button look="solid" blocked={blocked} onClick={() => change({ add: search.environment ?? '' })}>
              {words.add}
            </Button>
          </>
        }
      />
      {!blocked && <RefusalsNotice onShow={() => change({ refusals: true })} />}
      {environments.isPending ? (
        <Skeleton label={words.environments} rows={8} />
      ) : environments.isError && all.length === 0 ? (
        <CouldNotLoad
          what={words.environments}
          error={environments.error}
          onRetry={() => void environments.refetch()}
        />
      ) : all.length === 0 ? (
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
      ) : shown.length === 0 ? (
        <Empty
          title={words.noSuchEnvironment(search.environment ?? '')}
          action={<Button onClick={() => change({ environment: undefined })}>{words.showAll}</Button>}
        />
      ) : (
        shown
          .slice(0, cards)
          .map((environment) => (
            <EnvironmentCard
              key={environment.handle}
              environment={environment}
              scope={scope}
              addBlocked={blocked}
              onAdd={() => change({ add: environment.handle })}
            />
          ))
      )}
      {shown.length > cards && <More shown={cards} total={shown.length} onMore={() => setCards(cards + CARDS)} />}
      {search.add !== undefined && !blocked && (
        <AddRuntime environment={search.add} target={target} onClose={() => change({ add: undefined })} />
      )}
      {!blocked && (
        <RefusalsPanel
          open={search.refusals === true}
          onOpenChange={(open) => change({ refusals: open || undefined })}
        />
      )}
    </>
  )
}
