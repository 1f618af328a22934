import { useEffect, useEffectEvent, useSyncExternalStore } from 'react'
import { LivePositionDocument } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { type LineState, openLine, type RuntimeChange } from './subscription'

/** At least so many of the newest changes are kept, so that a page that was read just before them can be brought up to date. */
const REMEMBERED = 500

type Listener = (change: RuntimeChange) => void

/** The one line to the control plane; pages listen here and never open their own for lists. */
export class RuntimeHub {
  private listeners = new Set<Listener>()
  private watchers = new Set<() => void>()
  private recent: RuntimeChange[] = []
  private line: LineState = { state: 'catching-up' }
  private closeLine: (() => void) | undefined

  start(): () => void {
    let stopped = false
    const open = (after: number) => {
      if (stopped) return
      this.closeLine = openLine({ after, onChange: (change) => this.take(change), onState: (line) => this.tell(line) })
    }
    graphql(LivePositionDocument, {}).then(
      (answer) => open(answer.runtimes.sequence),
      // The line itself keeps trying and says why it is cut off; from 0 it is told to resync if that is too far back.
      () => open(0),
    )
    return () => {
      stopped = true
      this.closeLine?.()
      this.recent = []
    }
  }

  take(change: RuntimeChange): void {
    if (change.resync) this.recent = []
    else if (this.recent.push(change) > 2 * REMEMBERED) this.recent = this.recent.slice(-REMEMBERED)
    for (const listener of this.listeners) listener(change)
  }

  since(sequence: number): RuntimeChange[] {
    return this.recent.filter((change) => change.sequence > sequence)
  }

  listen = (listener: Listener): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  watchLine = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  lineState = (): LineState => this.line

  private tell(line: LineState): void {
    this.line = line
    for (const watcher of this.watchers) watcher()
  }
}

export const hub = new RuntimeHub()

export function useLineState(): LineState {
  return useSyncExternalStore(hub.watchLine, hub.lineState)
}

/** Calls back on every change for as long as the component is shown. */
export function useRuntimeChanges(onChange: Listener): void {
  const take = useEffectEvent(onChange)
  useEffect(() => hub.listen((change) => take(change)), [])
}

/**
 * Calls back with what changed, many changes at a time: the first one at once, those that follow quickly together. A resync
 * drops what was gathered, since everything is read again.
 */
export function useGatheredChanges(everyMs: number, onChanges: (changes: RuntimeChange[]) => void): void {
  const take = useEffectEvent(onChanges)
  useEffect(() => {
    let gathered: RuntimeChange[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const hand = () => {
      timer = undefined
      if (gathered.length === 0) return
      const now = gathered
      gathered = []
      timer = setTimeout(hand, everyMs)
      take(now)
    }
    const stop = hub.listen((change) => {
      if (change.resync) gathered = []
      else if (gathered.push(change) === 1 && !timer) hand()
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [everyMs])
}
