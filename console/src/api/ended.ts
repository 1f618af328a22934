/** Whether the session of who was in has ended: pages stay as they are behind the sign-in, and lines wait for it. */
let hasEnded = false
const watchers = new Set<() => void>()
let waiting: (() => void)[] = []

function tell(next: boolean): void {
  hasEnded = next
  for (const watcher of watchers) watcher()
}

export function sessionEnded(): void {
  if (!hasEnded) tell(true)
}

/** Whoever waited goes on. */
export function signedInAgain(): void {
  if (!hasEnded) return
  tell(false)
  const done = waiting
  waiting = []
  for (const each of done) each()
}

export const isSessionEnded = (): boolean => hasEnded

export function watchSession(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

/** Calls back once when somebody signs in again. Gives a way not to wait any more. */
export function onceSignedIn(then: () => void): () => void {
  waiting.push(then)
  return () => {
    waiting = waiting.filter((each) => each !== then)
  }
}
