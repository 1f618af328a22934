import { useSyncExternalStore } from 'react'

/** The widths of the window, in px, at which tables gain columns. */
export const ROOM = { small: 640, wide: 1_180, wider: 1_440, widest: 1_680 } as const

const steps = Object.values(ROOM)
const queries = typeof window === 'undefined' ? [] : steps.map((step) => window.matchMedia(`(width >= ${step}px)`))

function watch(watcher: () => void): () => void {
  for (const query of queries) query.addEventListener('change', watcher)
  return () => {
    for (const query of queries) query.removeEventListener('change', watcher)
  }
}

function read(): number {
  return steps.filter((_, index) => queries[index]?.matches).at(-1) ?? 0
}

/**
 * The widest step that the window reaches. For what style sheets cannot do: a cell that spans all columns
 * must know how many there are.
 */
export function useRoom(): number {
  return useSyncExternalStore(watch, read)
}
