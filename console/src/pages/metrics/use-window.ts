import { useEffect, useState } from 'react'
import { serverNow } from '@/util/clock'
import type { MetricsSearch } from '@/util/search'
import { type Window, windowOf } from './window'

const LOOK_MS = 5_000

/** The time that is shown; while it ends now it moves on by itself, except on a page that nobody sees. */
export function useWindow(search: MetricsSearch): Window {
  const [now, setNow] = useState(serverNow)
  const window = windowOf(search, now)
  const { open, toS } = window
  const { span, from, to } = search
  useEffect(() => {
    if (!open) return
    const look = () => {
      if (!document.hidden && windowOf({ span, from, to }, serverNow()).toS !== toS) setNow(serverNow())
    }
    const timer = setInterval(look, LOOK_MS)
    document.addEventListener('visibilitychange', look)
    // A time that was chosen meanwhile counts from now, not from when the page was opened.
    look()
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [open, toS, span, from, to])
  return window
}
