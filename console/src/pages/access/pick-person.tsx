import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { usersQuery } from '@/api/people-queries'
import { access, users, whoMay as words } from '@/strings/access'
import { Dialog } from '@/ui/dialog'
import { Picker } from '@/ui/picker'

/** So many are searched through by name before one may type more. */
const FOUND = 20

export function PickPerson({ onPick, onClose }: { onPick: (user: string) => void; onClose: () => void }) {
  const [search, setSearch] = useState('')
  const found = useInfiniteQuery({
    ...usersQuery({ search: search || null }, null, FOUND),
    placeholderData: (before) => before,
  })
  const choices = (found.data?.pages[0]?.nodes ?? []).map(({ id, username, displayName }) => ({
    key: id,
    label: displayName,
    alias: username,
    hint: <code>{username}</code>,
    pick: () => onPick(id),
  }))
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={words.person}>
      <div className="-mx-5 -mb-5 border-t border-line">
        <Picker
          label={users.search}
          placeholder={users.search}
          query={search}
          onQuery={setSearch}
          groups={[{ title: access.tabs.users, stale: found.isPending || found.isPlaceholderData, choices }]}
          empty={users.emptyTitle}
        />
      </div>
    </Dialog>
  )
}
