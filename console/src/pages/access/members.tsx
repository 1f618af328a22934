import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import { AddGroupMembersDocument, RemoveGroupMembersDocument } from '@/api/generated/people'
import { usersQuery } from '@/api/people-queries'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { groups as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { More } from '@/ui/more'
import { notify } from '@/ui/notices'
import { Card, TableBox } from '@/ui/page'
import { Picker } from '@/ui/picker'
import { SearchBox } from '@/ui/search-box'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { MembersSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { useSearchState } from '@/util/use-search-state'
import type { GroupFacts } from './group'
import { useAccessChanged } from './use-access-changed'

/** So many are searched through by name before one may type more. */
const FOUND = 20

/** Who is in a group; hidden from those who may change neither users nor groups. */
export function Members({ group, search, onMore }: { group: GroupFacts; search: string; onMore: () => void }) {
  const { members } = group
  const change = useSearchState<MembersSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const blocked = useBlocked()('USER_MGT_UPDATE_USERS')
  const [adding, setAdding] = useState(false)
  return (
    <Card
      title={words.members}
      label={words.members}
      beside={<span className="nums text-muted">{group.memberCount}</span>}
      actions={
        <>
          {members && <SearchBox label={words.searchMembers} value={search} onSearch={onSearch} />}
          <Button small look="solid" blocked={blocked} onClick={() => setAdding(true)}>
            {words.addMember}
          </Button>
        </>
      }
    >
      {!members ? (
        <p className="px-3.5 py-3 text-muted">{words.membersHidden}</p>
      ) : members.nodes.length === 0 ? (
        <p className="px-3.5 py-3 text-muted">{search ? strings.noMatch(search) : words.noMembers}</p>
      ) : (
        <>
          <Rows group={group} members={members.nodes} blocked={blocked} />
          <More shown={members.nodes.length} total={members.totalCount} onMore={onMore} />
        </>
      )}
      {adding && <AddMember group={group} onClose={() => setAdding(false)} />}
    </Card>
  )
}

type RowsProps = {
  group: GroupFacts
  members: NonNullable<GroupFacts['members']>['nodes']
  blocked: string | undefined
}

function Rows({ group, members, blocked }: RowsProps) {
  const changed = useAccessChanged()
  const { run, pending } = useAction(async (user: RowsProps['members'][number]['user']) => {
    try {
      await graphql(RemoveGroupMembersDocument, { group: group.id, users: [user.id] })
      notify(words.takenOut(user.username, group.name))
      changed()
    } catch (error) {
      const { message, fix } = asProblem(error)
      notify([message, fix].filter(Boolean).join(' '), 'bad')
    }
  })
  return (
    <TableBox label={words.membersWhat}>
      <table className="grid-table">
        <tbody>
          {members.map(({ user, addedAt, fromSso }) => (
            <tr key={user.id}>
              <td>
                <Link {...to.user(user.id)} data-row className="mono link">
                  {user.username}
                </Link>
              </td>
              <td className="w-full">
                <span className="inline-flex items-center gap-2">
                  {user.displayName}
                  {fromSso && <Badge text={words.fromSso} tip={words.fromSsoTip} />}
                </span>
              </td>
              <td className="hidden whitespace-nowrap text-right text-muted sm:table-cell">
                <Age at={addedAt} ago />
              </td>
              <td className="text-right">
                <Button
                  small
                  look="quiet"
                  aria-label={words.takeOutLabel(user.username)}
                  blocked={blocked}
                  aria-busy={pending}
                  onClick={() => !pending && void run(user)}
                >
                  {words.takeOut}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

function AddMember({ group, onClose }: { group: GroupFacts; onClose: () => void }) {
  const changed = useAccessChanged()
  const [search, setSearch] = useState('')
  const found = useInfiniteQuery({
    ...usersQuery({ search: search || null }, null, FOUND),
    placeholderData: (before) => before,
  })
  const { run } = useAction(async (id: string, username: string) => {
    try {
      await graphql(AddGroupMembersDocument, { group: group.id, users: [id] })
      notify(words.added(username, group.name))
      changed()
      onClose()
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
  })
  const known = new Set(group.members?.nodes.map((each) => each.user.id))
  const choices = (found.data?.pages[0]?.nodes ?? [])
    .filter((each) => !known.has(each.id))
    .map(({ id, username, displayName }) => ({
      key: id,
      label: displayName,
      hint: <code>{username}</code>,
      pick: () => void run(id, username),
    }))
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={`${words.addMember}: ${group.name}`}>
      <div className="-mx-5 -mb-5 border-t border-line">
        <Picker
          label={words.findUser}
          placeholder={words.findUser}
          query={search}
          onQuery={setSearch}
          groups={[{ title: words.members, choices }]}
          empty={found.isError ? strings.couldNotLoad(words.membersWhat) : words.nobodyFound}
        />
      </div>
    </Dialog>
  )
}
