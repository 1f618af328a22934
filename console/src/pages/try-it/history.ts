import { useSyncExternalStore } from 'react'
import type { Answer } from '@/api/try-it'
import type { Draft } from './compose'

export type Past = {
  id: number
  at: number
  runtime: { id: string; name: string }
  port: number
  operation: string | undefined
  draft: Draft
  target: string
  answer: Answer | undefined
  /** The code of why there was none. */
  failed: string | undefined
}

const KEPT = 30
/** In memory alone: what is typed into a request may be a secret, and goes with the tab. */
let past: readonly Past[] = []
let count = 0
const listeners = new Set<() => void>()

export function remember(one: Omit<Past, 'id'>): void {
  count += 1
  past = [{ ...one, id: count }, ...past].slice(0, KEPT)
  for (const listener of listeners) listener()
}

export function forgetPast(): void {
  past = []
  for (const listener of listeners) listener()
}

function listen(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The requests of this tab, newest first. */
export function usePast(): readonly Past[] {
  return useSyncExternalStore(listen, () => past)
}
