import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { IntegrationDocument } from '@/api/generated/operations'
import { environmentsQuery, integrationQuery } from '@/api/queries'
import { changing } from '@/strings/changing'
import { typeNames } from '@/strings/common'
import { runtimes } from '@/strings/runtimes'
import { missing, shell } from '@/strings/shell'
import { integration as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { Button, buttonClass } from '@/ui/button'
import { CopyGraphql } from '@/ui/copy'
import { LinkButton } from '@/ui/link-button'
import { Card, Facts, PageHead } from '@/ui/page'
import { CouldNotLoad, Missing, Skeleton } from '@/ui/states'
import { Counts } from '@/ui/status'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { EnvironmentHealth } from './integration-health'

const EditDialog = lazily(async () => (await import('./changing/edit')).EditDialog)
const DangerZone = lazily(async () => (await import('./changing/remove')).DangerZone)

export function IntegrationPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integration}` })
  const { edit } = useSearch({ from: `/shell${PATH.integration}` })
  const change = useSearchState<ListSearch>()
  const query = useQuery(integrationQuery(project, integration))
  const environments = useQuery(environmentsQuery)
  if (query.isPending) return <Skeleton label={words.what} />
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  if (query.data === undefined) {
    return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  }
  const { displayName, handle, runtimeType, createdAt, createdBy, description } = query.data
  const mayNotEdit = mayNot(query.data.permissions, 'INTEGRATION_MGT_EDIT')
  const target = { kind: 'INTEGRATION' as const, handle, displayName, project, description }
  return (
    <>
      <PageHead
        title={displayName}
        note={
          <Counts
            counts={query.data.runtimes}
            empty={runtimes.noRuntimes}
            link={(status) => to.integrationRuntimes(project, integration, { status })}
          />
        }
        actions={
          <>
            <CopyGraphql document={IntegrationDocument} variables={{ project, handle: integration }} />
            <Button blocked={mayNotEdit} onClick={() => change({ edit: handle })}>
              {changing.edit.INTEGRATION}
            </Button>
            <LinkButton
              link={to.integrationMetrics(project, integration)}
              blocked={mayNot(query.data.permissions, 'OBSERVABILITY_MGT_VIEW_INSIGHTS')}
            >
              {shell.nav.metrics}
            </LinkButton>
            <Link {...to.steering(project, integration)} className={buttonClass()}>
              {words.steering}
            </Link>
            <Link {...to.integrationRuntimes(project, integration)} className={buttonClass('solid')}>
              {words.runtimes}
            </Link>
          </>
        }
      />
      <div className="grid items-start gap-x-4 lg:grid-cols-[minmax(0,1fr)_340px]">
        <Card title={words.health} label={words.health}>
          {environments.isPending ? (
            <Skeleton label={runtimes.environments} rows={3} />
          ) : environments.isError && !environments.data ? (
            <CouldNotLoad
              what={runtimes.environments}
              error={environments.error}
              onRetry={() => void environments.refetch()}
            />
          ) : (
            <ul className="divide-y divide-line">
              {environments.data.nodes.map((environment) => (
                <EnvironmentHealth
                  key={environment.handle}
                  environment={environment}
                  project={project}
                  integration={integration}
                />
              ))}
            </ul>
          )}
        </Card>
        <Card title={words.about} label={words.about}>
          <Facts
            facts={[
              [words.facts.handle, <code key="handle">{handle}</code>],
              [
                words.facts.project,
                <Link key="project" {...to.project(project)} className="link">
                  {query.data.project.displayName}
                </Link>,
              ],
              [words.facts.type, typeNames[runtimeType].long],
              [words.facts.created, <Age key="created" at={createdAt} ago />],
              [words.facts.by, createdBy],
              ...(description ? [[words.facts.description, description] as [string, string]] : []),
            ]}
          />
        </Card>
      </div>
      <DangerZone target={target} blocked={mayNot(query.data.permissions, 'INTEGRATION_MGT_MANAGE')} />
      {edit && !mayNotEdit && <EditDialog target={target} onClose={() => change({ edit: undefined })} />}
    </>
  )
}
