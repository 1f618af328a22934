import { useCallback, useState } from 'react'
import type { RuntimeRowFragment } from '@/api/generated/operations'
import { useGatheredChanges } from '@/live/hub'

/** What is selected follows the line at this pace. */
const EVERY_MS = 500

export type Selected = ReadonlyMap<string, RuntimeRowFragment>
export type Selection = {
  rows: Selected
  select: (rows: RuntimeRowFragment[], on: boolean) => void
  clear: () => void
}

/** The runtimes that are selected, as they are now; those that are retired or removed are so no longer. */
export function useSelection(): Selection {
  const [rows, setRows] = useState<Selected>(new Map())
  useGatheredChanges(EVERY_MS, (changes) => {
    const ours = changes.filter(({ runtimeKey }) => runtimeKey && rows.has(runtimeKey))
    if (ours.length === 0) return
    setRows((before) => {
      const next = new Map(before)
      for (const { runtimeKey, runtime, kind } of ours) {
        if (!runtimeKey || !next.has(runtimeKey)) continue
        if (runtime) next.set(runtimeKey, runtime)
        else if (kind === 'RETIRED' || kind === 'REMOVED') next.delete(runtimeKey)
      }
      return next
    })
  })
  const select = useCallback((some: RuntimeRowFragment[], on: boolean) => {
    setRows((before) => {
      const next = new Map(before)
      for (const row of some) {
        if (on) next.set(row.id, row)
        else next.delete(row.id)
      }
      return next
    })
  }, [])
  const clear = useCallback(() => setRows(new Map()), [])
  return { rows, select, clear }
}
