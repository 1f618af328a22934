import { useEffect, useState } from 'react'
import { type RuntimeRowFragment, RuntimesDocument } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { openLine } from './subscription'

/** How long until the question for the starting point is asked again when it failed. */
const ASK_AGAIN_MS = 3_000

/** The runtime that reports with this secret, as soon as there is one, and as it is from then on. */
export function useFirstHeartbeat(secretKeyId: string): RuntimeRowFragment | undefined {
  const [runtime, setRuntime] = useState<RuntimeRowFragment>()
  useEffect(() => {
    let stopped = false
    let close: (() => void) | undefined
    let again: ReturnType<typeof setTimeout> | undefined
    const filter = { secretKeyId }
    // The list is read first: it may already be there, and its sequence is where the line must begin.
    const begin = async () => {
      try {
        const { runtimes } = await graphql(RuntimesDocument, { filter, first: 1, after: null })
        if (stopped) return
        if (runtimes.nodes[0]) setRuntime(runtimes.nodes[0])
        close?.()
        close = openLine({
          filter,
          after: runtimes.sequence,
          onChange: (change) => {
            if (change.resync) void begin()
            else if (change.runtime) setRuntime(change.runtime)
          },
          onState: () => undefined,
        })
      } catch {
        if (!stopped) again = setTimeout(begin, ASK_AGAIN_MS)
      }
    }
    void begin()
    return () => {
      stopped = true
      clearTimeout(again)
      close?.()
    }
  }, [secretKeyId])
  return runtime
}
