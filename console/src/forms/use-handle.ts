import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { HandleAvailabilityDocument, type HandleKind } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { deriveHandle } from '@/util/handle'

const PAUSE_MS = 250

export const validHandle = (handle: string) => handle.length <= 64 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(handle)

/** A handle that follows the display name until somebody edits it, and that is checked after each pause in typing. */
export function useHandle(kind: HandleKind, project: string | null = null) {
  const [displayName, setDisplayName] = useState('')
  const [edited, setEdited] = useState<string>()
  const handle = edited ?? deriveHandle(displayName)
  const asked = usePaused(handle)
  const check = useQuery({
    queryKey: ['handle', kind, project, asked],
    queryFn: async ({ signal }) =>
      (await graphql(HandleAvailabilityDocument, { kind, handle: asked, project }, signal)).handleAvailability,
    enabled: validHandle(asked),
    staleTime: 0,
    gcTime: 0,
  })
  const current = asked === handle && check.data?.handle === handle ? check.data : undefined
  return {
    displayName,
    setDisplayName,
    handle,
    setHandle: setEdited,
    valid: validHandle(handle),
    availability: current,
    checkFailed: check.isError && asked === handle,
  }
}

/** The value as it was when typing last paused; the clock is the outside system here. */
function usePaused(value: string): string {
  const [paused, setPaused] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setPaused(value), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [value])
  return paused
}
