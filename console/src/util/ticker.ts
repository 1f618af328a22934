import { useCallback, useSyncExternalStore } from 'react'
import { serverNow } from './clock'
import { formatSpan } from './time'

const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

/** One timer for every age on the page; it rests while nobody listens or the page is hidden. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    if (!document.hidden) for (const each of listeners) each()
  }, 1_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0 && timer) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** The age of an instant as text; the component renders again only when the text changes. */
export function useAge(iso: string): string {
  const read = useCallback(() => formatSpan(serverNow() - Date.parse(iso)), [iso])
  return useSyncExternalStore(subscribe, read)
}

/** Renders again with each new minute. */
export function useMinute(): number {
  return useSyncExternalStore(subscribe, () => Math.floor(serverNow() / 60_000))
}

/** Seconds left until an instant, never below zero. */
export function useSecondsLeft(until: number): number {
  const read = useCallback(() => Math.max(0, Math.ceil((until - Date.now()) / 1_000)), [until])
  return useSyncExternalStore(subscribe, read)
}

/** The span until an instant as text; undefined without one and once it has passed. */
export function useUntil(iso: string | null): string | undefined {
  const read = useCallback(() => {
    const left = iso === null ? 0 : Date.parse(iso) - serverNow()
    return left > 0 ? formatSpan(left) : undefined
  }, [iso])
  return useSyncExternalStore(subscribe, read)
}
