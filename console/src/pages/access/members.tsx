import { Link } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import { RemoveGroupMembersDocument } from '@/api/generated/people'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { groups as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { More } from '@/ui/more'
import { notify } from '@/ui/notices'
import { Card, TableBox } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { MembersSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { useSearchState } from '@/util/use-search-state'
import type { GroupFacts } from './group'
import { useAccessChanged } from './use-access-changed'

const AddMember = lazily(async () => (await import('./add-member')).AddMember)

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
