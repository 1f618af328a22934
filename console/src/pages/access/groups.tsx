import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import { type GroupRowFragment, GroupsDocument } from '@/api/generated/people'
import { groupsQuery } from '@/api/people-queries'
import { PAGE_SIZE } from '@/api/queries'
import { access, groups as words } from '@/strings/access'
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
import { useBlocked } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AccessFrame } from './frame'

const GroupForm = lazily(async () => (await import('./group-form')).GroupForm)

const columns: ListColumn<GroupRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ id, name, builtIn }) => (
      <span className="inline-flex items-center gap-2">
        <Link {...to.group(id)} data-row className="link font-medium">
          {name}
        </Link>
        {builtIn && <Badge text={access.builtIn} tip={words.builtInTip} />}
      </span>
    ),
  },
  {
    key: 'description',
    title: words.columns.description,
    className: 'hidden sm:table-cell w-full max-w-0 truncate text-muted',
    cell: ({ description, project }) => description || (project && words.ofProject(project.displayName)),
  },
  {
    key: 'members',
    title: words.columns.members,
    className: 'text-right',
    cell: ({ memberCount }) => memberCount,
  },
  {
    key: 'by',
    title: words.columns.by,
    className: 'hidden md:table-cell text-muted',
    cell: ({ createdBy }) => createdBy,
  },
  {
    key: 'age',
    title: words.columns.age,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
]

export const GroupsPage = openTo(['USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_UPDATE_USERS'], access.tabs.groups, Groups)

function Groups() {
  const { search = '', sort, create } = useSearch({ from: `/shell${PATH.groups}` })
  const change = useSearchState<ListSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const query = useInfiniteQuery({ ...groupsQuery(search, sort ?? null), placeholderData: keepPreviousData })
  const blocked = useBlocked()('USER_MGT_MANAGE_GROUPS')
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  return (
    <AccessFrame
      title={access.tabs.groups}
      actions={
        <>
          <CopyCli command={lists.groups(search)} />
          <CopyGraphql document={GroupsDocument} variables={{ search: search || null, sort, first: PAGE_SIZE }} />
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
      {create && !blocked && <GroupForm onClose={() => change({ create: undefined })} />}
    </AccessFrame>
  )
}
