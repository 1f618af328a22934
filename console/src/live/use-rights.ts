import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { viewerQuery } from '@/api/queries'
import { shell } from '@/strings/shell'
import { notify } from '@/ui/notices'

/** What is taken away is seen after this long at the latest; whatever is pressed meanwhile the control plane decides. */
const EVERY_MS = 10_000

/** Keeps the pages true to what the viewer may do: when it changed it is said, and everything is read again. */
export function useFollowRights(): void {
  const client = useQueryClient()
  const { data } = useQuery({ ...viewerQuery, refetchInterval: EVERY_MS })
  const viewer = data?.viewer
  const rights = viewer && JSON.stringify([viewer.username, viewer.permissions, viewer.groups.map((each) => each.id)])
  const known = useRef(rights)
  useEffect(() => {
    const before = known.current
    if (rights === undefined || rights === before) return
    known.current = rights
    if (before === undefined) return
    notify(shell.rightsChanged)
    void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== viewerQuery.queryKey[0] })
  }, [client, rights])
}
