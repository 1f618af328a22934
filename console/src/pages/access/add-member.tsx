import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { AddGroupMembersDocument } from '@/api/generated/people'
import { usersQuery } from '@/api/people-queries'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { groups as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { Dialog } from '@/ui/dialog'
import { notify } from '@/ui/notices'
import { Picker } from '@/ui/picker'
import { useAction } from '@/util/use-action'
import type { GroupFacts } from './group'
import { useAccessChanged } from './use-access-changed'

/** So many are searched through by name before one may type more. */
const FOUND = 20

export function AddMember({ group, onClose }: { group: GroupFacts; onClose: () => void }) {
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
      alias: username,
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
          groups={[{ title: words.members, stale: found.isPending || found.isPlaceholderData, choices }]}
          empty={found.isError ? strings.couldNotLoad(words.membersWhat) : words.nobodyFound}
        />
      </div>
    </Dialog>
  )
}
