import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useRuntimeChanges } from './hub'
import type { RuntimeChange } from './subscription'

type Pace = 'soon' | 'later'
type Timer = ReturnType<typeof setTimeout>

/**
 * A wish makes one change for each runtime and step: what it touches is read again once for many of them.
 * Counts follow later still.
 */
const EVERY_MS: Record<Pace, number> = { soon: 200, later: 1_000 }

/** The first words of the keys of the cache that a change makes stale, by how soon they are read again. */
export type Stale = { now: string[][]; soon: string[][]; later: string[][] }

/** What a change touches. Those of steering name no integration where the runtime is gone, so all of it is read again. */
export function staleBy({ kind, runtimeKey, command }: RuntimeChange): Stale {
  const runtime = runtimeKey ? [['runtime', runtimeKey]] : []
  switch (kind) {
    case 'COMMAND':
      return {
        now: command ? [['command', command.id]] : [],
        soon: [['steering'], ['commands'], ...runtime],
        later: [['counts']],
      }
    case 'DESIRED':
      return { now: [], soon: [['steering'], ['runtime']], later: [['counts']] }
    case 'REMOVED':
      return { now: runtime, soon: [['steering'], ['commands']], later: [['counts'], ['secrets'], ['secret']] }
    case 'REPORTED': {
      const artifacts = runtimeKey ? [['artifacts', runtimeKey]] : []
      return { now: [...runtime, ...artifacts], soon: [['steering']], later: [['counts'], ['secret']] }
    }
    default:
      return { now: runtime, soon: [['steering']], later: [['counts']] }
  }
}

/** Gathers what became stale and reads it again at its pace. */
export class Freshener {
  private readonly client: Pick<QueryClient, 'invalidateQueries'>
  private readonly waiting = { soon: new Map<string, string[]>(), later: new Map<string, string[]>() }
  private readonly timers = new Map<Pace, Timer>()

  constructor(client: Pick<QueryClient, 'invalidateQueries'>) {
    this.client = client
  }

  take(change: RuntimeChange): void {
    if (change.resync) {
      void this.client.invalidateQueries()
      return
    }
    const { now, soon, later } = staleBy(change)
    for (const queryKey of now) void this.client.invalidateQueries({ queryKey })
    this.gather('soon', soon)
    this.gather('later', later)
  }

  stop(): void {
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
  }

  private gather(pace: Pace, keys: string[][]): void {
    for (const key of keys) this.waiting[pace].set(key.join(' '), key)
    this.schedule(pace)
  }

  private schedule(pace: Pace): void {
    if (this.waiting[pace].size === 0 || this.timers.has(pace)) return
    const timer = setTimeout(() => void this.read(pace, timer), EVERY_MS[pace])
    this.timers.set(pace, timer)
  }

  /** The next read waits for this one: reads that overtake each other would cancel one another, and none would end. */
  private async read(pace: Pace, timer: Timer): Promise<void> {
    const due = [...this.waiting[pace].values()]
    this.waiting[pace].clear()
    await Promise.all(due.map((queryKey) => this.client.invalidateQueries({ queryKey })))
    if (this.timers.get(pace) !== timer) return
    this.timers.delete(pace)
    this.schedule(pace)
  }
}

/** Keeps what the pages show true to the line, for as long as the frame is shown. */
export function useFollowChanges(): void {
  const client = useQueryClient()
  const [freshener] = useState(() => new Freshener(client))
  useEffect(() => () => freshener.stop(), [freshener])
  useRuntimeChanges((change) => freshener.take(change))
}
