import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import { type UserFilter, type UserRowFragment, UsersDocument } from '@/api/generated/people'
import { groupsQuery, usersQuery } from '@/api/people-queries'
import { LARGEST_PAGE, PAGE_SIZE } from '@/api/queries'
import { access, users as words } from '@/strings/access'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { openTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { SortSelect } from '@/ui/sort-select'
import { Empty } from '@/ui/states'
import { USER_KINDS, USER_STATES } from '@/util/choices'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { UsersSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AccessFrame } from './frame'
import { UserStateMark } from './user-state'

const ShownSecret = lazily(async () => (await import('@/ui/shown-secret')).ShownSecret)
const CreateUser = lazily(async () => (await import('./user-forms')).CreateUser)

const columns: ListColumn<UserRowFragment>[] = [
  {
    key: 'username',
    title: words.columns.username,
    cell: ({ id, username }) => (
      <Link {...to.user(id)} data-row className="mono link font-medium">
        {username}
      </Link>
    ),
  },
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ displayName, kind, isSuperAdmin }) => (
      <span className="inline-flex items-center gap-2">
        {displayName}
        {kind === 'SERVICE' && <Badge text={words.kinds.SERVICE} />}
        {isSuperAdmin && <Badge text={words.superAdmin} />}
      </span>
    ),
  },
  { key: 'state', title: words.columns.state, cell: ({ state }) => <UserStateMark state={state} /> },
  {
    key: 'groups',
    title: words.columns.groups,
    className: 'hidden md:table-cell w-full',
    cell: ({ groups }) => (
      <span className="flex flex-wrap gap-x-2.5">
        {groups.map((group) => (
          <Link key={group.id} {...to.group(group.id)} className="link">
            {group.name}
          </Link>
        ))}
      </span>
    ),
  },
  {
    key: 'signIn',
    title: words.columns.signIn,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ lastSignInAt }) =>
      lastSignInAt ? <Age at={lastSignInAt} ago /> : <span className="text-faint">{words.neverSignedIn}</span>,
  },
]

export const UsersPage = openTo(['USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS'], access.tabs.users, Users)

function Users() {
  const { search = '', sort, kind, state, group, create } = useSearch({ from: `/shell${PATH.users}` })
  const change = useSearchState<UsersSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const filter: UserFilter = { search: search || null, kind: kind ?? null, state: state ?? null, group: group ?? null }
  const query = useInfiniteQuery({ ...usersQuery(filter, sort ?? null), placeholderData: keepPreviousData })
  const groups = useInfiniteQuery(groupsQuery('', null, LARGEST_PAGE))
  const blocked = useBlocked()('USER_MGT_MANAGE_USERS')
  const [made, setMade] = useState<{ username: string; password: string }>()
  return (
    <AccessFrame
      title={access.tabs.users}
      actions={
        <>
          <CopyCli command={lists.users(search, [kind, state, group])} />
          <CopyGraphql document={UsersDocument} variables={{ filter, sort, first: PAGE_SIZE }} />
          <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
            {words.create}
          </Button>
        </>
      }
    >
      <div className="mb-3 flex flex-wrap gap-2">
        <SearchBox label={words.search} value={search} onSearch={onSearch} />
        <Choose
          label={words.stateFilter}
          all={words.allStates}
          value={state}
          onChange={(next) => change({ state: next }, true)}
          choices={USER_STATES.map((each) => [each, words.states[each]])}
        />
        <Choose
          label={words.kindFilter}
          all={words.allKinds}
          value={kind}
          onChange={(next) => change({ kind: next }, true)}
          choices={USER_KINDS.map((each) => [each, words.kinds[each]])}
        />
        <Choose
          label={words.groupFilter}
          all={words.allGroups}
          value={group}
          onChange={(next) => change({ group: next }, true)}
          choices={(groups.data?.pages[0]?.nodes ?? []).map(({ id, name }) => [id, name])}
        />
        <SortSelect value={sort} onChange={(next) => change({ sort: next }, true)} />
      </div>
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => row.id}
        search={search}
        filtered={Boolean(kind || state || group)}
        onClearSearch={() => change({ search: undefined, kind: undefined, state: undefined, group: undefined })}
        empty={<Empty title={words.emptyTitle} />}
      />
      {create && !blocked && (
        <CreateUser
          onClose={() => change({ create: undefined })}
          onMade={(user, password) => {
            change({ create: undefined })
            if (password) setMade({ username: user, password })
          }}
        />
      )}
      {made && (
        <ShownSecret
          title={words.firstPassword(made.username)}
          label={words.password}
          secret={made.password}
          once={words.once}
          onClose={() => setMade(undefined)}
        />
      )}
    </AccessFrame>
  )
}
