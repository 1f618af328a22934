import { useEffect, useSyncExternalStore } from 'react'

/** A page's title may still change while its data comes: only the one that stays this long is said. */
const SETTLED_MS = 250

let said = ''
let timer: ReturnType<typeof setTimeout> | undefined
/** What a full load opens is told by the browser itself, by the title of the document. */
let arrived = false
const watchers = new Set<() => void>()

function watch(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

/** Says the title of a page to screen readers when somebody comes to it from another page. */
export function useAnnounced(title: string): void {
  useEffect(() => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      const first = !arrived
      arrived = true
      if (first || title === said) return
      said = title
      for (const watcher of watchers) watcher()
    }, SETTLED_MS)
  }, [title])
}

/** Says what happened without being asked for just now, such as how a command ended. */
export function announce(text: string): void {
  said = text
  for (const watcher of watchers) watcher()
}

export function Announcer() {
  const text = useSyncExternalStore(watch, () => said)
  return (
    <div aria-live="polite" aria-atomic className="sr-only" data-announcer>
      {text}
    </div>
  )
}
