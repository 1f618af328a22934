import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import { type RoleRowFragment, RolesDocument } from '@/api/generated/people'
import { roleQuery, rolesQuery } from '@/api/people-queries'
import { PAGE_SIZE } from '@/api/queries'
import { access, roles as words } from '@/strings/access'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { openTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { SortSelect } from '@/ui/sort-select'
import { Empty } from '@/ui/states'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked, wireName } from '@/util/permissions'
import type { RolesSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AccessFrame } from './frame'

const RoleForm = lazily(async () => (await import('./role-form')).RoleForm)

const columns: ListColumn<RoleRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ id, name, builtIn }) => (
      <span className="inline-flex items-center gap-2">
        <Link {...to.role(id)} data-row className="link font-medium">
          {name}
        </Link>
        {builtIn && <Badge text={access.builtIn} tip={words.builtInText} />}
      </span>
    ),
  },
  {
    key: 'description',
    title: words.columns.description,
    className: 'hidden md:table-cell text-muted',
    cell: ({ description }) => description,
  },
  {
    key: 'permissions',
    title: words.columns.permissions,
    className: 'hidden lg:table-cell w-full max-w-0 truncate',
    cell: ({ permissions }) => {
      const names = permissions.map(wireName).join(', ')
      return (
        <code className="text-muted" data-tip={names}>
          {names}
        </code>
      )
    },
  },
  { key: 'groups', title: words.columns.groups, className: 'text-right', cell: ({ groupCount }) => groupCount },
  {
    key: 'age',
    title: words.columns.age,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
]

export const RolesPage = openTo(
  ['USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_MANAGE_ROLES', 'USER_MGT_UPDATE_USERS'],
  access.tabs.roles,
  Roles,
)

function Roles() {
  const { search = '', sort, create, copy } = useSearch({ from: `/shell${PATH.roles}` })
  const change = useSearchState<RolesSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const query = useInfiniteQuery({ ...rolesQuery(search, sort ?? null), placeholderData: keepPreviousData })
  const original = useQuery({ ...roleQuery(copy ?? ''), enabled: copy !== undefined })
  const blocked = useBlocked()('USER_MGT_MANAGE_ROLES')
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true, copy: undefined })}>
      {words.create}
    </Button>
  )
  return (
    <AccessFrame
      title={access.tabs.roles}
      actions={
        <>
          <CopyCli command={lists.roles(search)} />
          <CopyGraphql document={RolesDocument} variables={{ search: search || null, sort, first: PAGE_SIZE }} />
          {button}
        </>
      }
    >
      <div className="mb-3 flex flex-wrap gap-2">
        <SearchBox label={words.search} value={search} onSearch={onSearch} />
        <SortSelect value={sort} onChange={(next) => change({ sort: next }, true)} />
      </div>
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => row.id}
        search={search}
        onClearSearch={() => onSearch('')}
        empty={<Empty title={words.emptyTitle} action={button} />}
      />
      {create && !blocked && (!copy || original.data) && (
        <RoleForm
          original={original.data ?? undefined}
          onClose={() => change({ create: undefined, copy: undefined })}
        />
      )}
    </AccessFrame>
  )
}
