import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { type SecretFilter, type SecretRowFragment, SecretsDocument } from '@/api/generated/operations'
import { environmentsQuery, integrationQuery, PAGE_SIZE, secretsQuery } from '@/api/queries'
import { useScope } from '@/shell/scope'
import { secrets as words } from '@/strings/secrets'
import { missing } from '@/strings/shell'
import { Age } from '@/ui/age'
import { buttonClass } from '@/ui/button'
import { openTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { Select } from '@/ui/field'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { Empty, Missing } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import type { SecretsSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { SecretActions } from './actions'
import { SecretState } from './state'

const SEES = ['ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE'] as const

const RevokeSecret = lazily(async () => (await import('./revoke-secret')).RevokeSecret)
const RotateSecret = lazily(async () => (await import('./rotate-secret')).RotateSecret)
const SecretPanel = lazily(async () => (await import('./secret-panel')).SecretPanel)

export const OrganizationSecretsPage = openTo(SEES, words.title, OrganizationSecrets)

function OrganizationSecrets() {
  return (
    <SecretsPage
      title={words.title}
      scope={{}}
      add={
        <Link {...to.addRuntime()} className={buttonClass('solid')}>
          {words.add}
        </Link>
      }
    />
  )
}

export const IntegrationSecretsPage = openTo(SEES, words.title, IntegrationSecrets)

function IntegrationSecrets() {
  const { project = '', integration = '' } = useScope()
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  return (
    <SecretsPage
      title={words.of(query.data?.displayName ?? integration)}
      early={!query.data}
      scope={{ project, integration }}
      add={
        <Link {...to.integrationRuntimes(project, integration)} search={{ add: '' }} className={buttonClass('solid')}>
          {words.add}
        </Link>
      }
    />
  )
}

type SecretsPageProps = {
  title: string
  early?: boolean
  scope: Pick<SecretFilter, 'project' | 'integration'>
  add: React.ReactNode
}

function SecretsPage({ title, early, scope, add }: SecretsPageProps) {
  const { environment, secret }: SecretsSearch = useSearch({ strict: false })
  const change = useSearchState<SecretsSearch>()
  const [acting, setActing] = useState<{ on: SecretRowFragment; what: 'revoke' | 'rotate' }>()
  const filter: SecretFilter = environment ? { ...scope, environment } : scope
  const query = useInfiniteQuery({ ...secretsQuery(filter), placeholderData: keepPreviousData })
  const environments = useQuery(environmentsQuery)
  return (
    <>
      <PageHead
        title={title}
        early={early}
        actions={
          <>
            <CopyCli command={lists.secrets(filter)} />
            <CopyGraphql document={SecretsDocument} variables={{ filter, first: PAGE_SIZE, after: null }} />
            <Select
              aria-label={words.environmentFilter}
              value={environment ?? ''}
              onChange={(event) => change({ environment: event.target.value || undefined }, true)}
              className="w-auto"
            >
              <option value="">{words.allEnvironments}</option>
              {environments.data?.nodes.map(({ handle, displayName }) => (
                <option key={handle} value={handle}>
                  {displayName}
                </option>
              ))}
            </Select>
            {add}
          </>
        }
      />
      <p className="-mt-2 mb-3 text-muted">{words.note}</p>
      <List
        what={words.what}
        query={query}
        columns={[
          ...columns,
          {
            key: 'actions',
            title: <span className="sr-only">{words.columns.actions}</span>,
            className: 'hidden sm:table-cell text-right',
            cell: (row) => (
              <span className="inline-flex gap-1">
                <SecretActions
                  secret={row}
                  onRevoke={() => setActing({ on: row, what: 'revoke' })}
                  onRotate={() => setActing({ on: row, what: 'rotate' })}
                />
              </span>
            ),
          },
        ]}
        rowKey={(row) => row.keyId}
        empty={
          <Empty title={words.emptyTitle} action={add}>
            {words.emptyText}
          </Empty>
        }
      />
      {/* One dialog at a time: the panel comes back when the other one closes. */}
      {secret && !acting && (
        <SecretPanel
          keyId={secret}
          onClose={() => change({ secret: undefined })}
          onOpen={(keyId) => change({ secret: keyId })}
          onRevoke={(on) => setActing({ on, what: 'revoke' })}
          onRotate={(on) => setActing({ on, what: 'rotate' })}
        />
      )}
      {acting?.what === 'revoke' && <RevokeSecret secret={acting.on} onClose={() => setActing(undefined)} />}
      {acting?.what === 'rotate' && <RotateSecret secret={acting.on} onClose={() => setActing(undefined)} />}
    </>
  )
}

const columns: ListColumn<SecretRowFragment>[] = [
  {
    key: 'keyId',
    title: words.columns.keyId,
    cell: ({ keyId }) => (
      <Link to="." search={(before: object) => ({ ...before, secret: keyId })} data-row className="mono link">
        {keyId}
      </Link>
    ),
  },
  { key: 'state', title: words.columns.state, cell: (row) => <SecretState secret={row} /> },
  {
    key: 'environment',
    title: words.columns.environment,
    cell: ({ environment }) => (
      <span className="inline-flex items-center gap-2">
        <Link {...to.runtimes(environment.handle)} className="link">
          {environment.displayName}
        </Link>
        {environment.critical && <CriticalBadge />}
      </span>
    ),
  },
  {
    key: 'bound',
    title: words.columns.bound,
    className: 'hidden sm:table-cell w-full',
    cell: ({ project, integration }) =>
      project && integration ? (
        <span className="inline-flex items-center gap-1">
          <Link {...to.project(project.handle)} className="link text-muted">
            {project.displayName}
          </Link>
          <span className="text-faint">/</span>
          <Link {...to.integration(project.handle, integration.handle)} className="link">
            {integration.displayName}
          </Link>
        </span>
      ) : (
        <span className="text-faint">{words.unbound}</span>
      ),
  },
  {
    key: 'runtimes',
    title: words.columns.runtimes,
    className: 'text-right',
    cell: ({ runtimeCount }) => runtimeCount,
  },
  {
    key: 'lastUsed',
    title: words.columns.lastUsed,
    className: 'hidden md:table-cell text-right',
    cell: ({ lastUsedAt }) =>
      lastUsedAt ? <Age at={lastUsedAt} ago /> : <span className="text-faint">{words.never}</span>,
  },
  {
    key: 'created',
    title: words.columns.created,
    className: 'hidden md:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} ago />,
  },
  {
    key: 'by',
    title: words.columns.by,
    className: 'hidden lg:table-cell text-muted',
    cell: ({ createdBy }) => createdBy,
  },
]
