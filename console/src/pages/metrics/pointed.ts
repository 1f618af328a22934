import { useSyncExternalStore } from 'react'

/** The step that is pointed at, in all charts at once; not state of the page, for it changes as the pointer moves. */
let pointed: number | null = null
const watchers = new Set<() => void>()

export function point(at: number | null): void {
  if (at === pointed) return
  pointed = at
  for (const watcher of watchers) watcher()
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

export const usePointed = () => useSyncExternalStore(watch, () => pointed)
