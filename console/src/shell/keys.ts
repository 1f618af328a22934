import { useNavigate } from '@tanstack/react-router'
import { useEffect, useEffectEvent } from 'react'
import { notify } from '@/ui/notices'
import type { Entry } from './entries'

/** The second key of `g r` must follow within this time. */
const CHORD_MS = 1_000

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')
}

/** Moves the focus between the rows of the lists on the page. */
export function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')].filter((row) => row.offsetParent !== null)
  const here = rows.findIndex((row) => row.isSameNode(document.activeElement))
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step
  rows[next]?.focus()
}

type Actions = {
  onPalette: () => void
  onSheet: () => void
  /** Where the second key of `g …` leads. */
  entryFor: (letter: string) => Entry | undefined
}

/** The page-wide keys; they rest while one types or a dialog is open. */
export function useKeys({ onPalette, onSheet, entryFor }: Actions): void {
  const navigate = useNavigate()
  const palette = useEffectEvent(onPalette)
  const sheet = useEffectEvent(onSheet)
  const go = useEffectEvent((letter: string) => {
    const entry = entryFor(letter)
    if (entry?.blocked) notify(entry.blocked)
    else if (entry) void navigate(entry.link)
    return entry !== undefined
  })
  useEffect(() => {
    // By when the keys were pressed, which a busy page hears of later.
    let chordAt = Number.NEGATIVE_INFINITY
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        palette()
        return
      }
      if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return
      if (document.querySelector('[role=dialog], [role=alertdialog]')) return
      const isChord = event.timeStamp - chordAt < CHORD_MS
      chordAt = Number.NEGATIVE_INFINITY
      if (isChord && go(event.key)) event.preventDefault()
      else if (event.key === 'g') chordAt = event.timeStamp
      else if (event.key === 'j') moveRow(1)
      else if (event.key === 'k') moveRow(-1)
      else if (event.key === '?') sheet()
      else if (event.key === '/') {
        const box = document.querySelector<HTMLElement>('[data-search]')
        if (box) event.preventDefault()
        box?.focus()
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
