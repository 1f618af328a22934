import { useQueryClient } from '@tanstack/react-query'
import { WifiOff } from 'lucide-react'
import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { useLineState } from '@/live/hub'
import { retryNow } from '@/live/subscription'
import { shell } from '@/strings/shell'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { clockTime } from '@/util/time'

const { banner: words } = shell
/** A line that is back sooner is nobody's concern: the mark in the header tells it. */
const PATIENCE_MS = 3_000

const watchNetwork = (watcher: () => void) => {
  globalThis.addEventListener('online', watcher)
  globalThis.addEventListener('offline', watcher)
  return () => {
    globalThis.removeEventListener('online', watcher)
    globalThis.removeEventListener('offline', watcher)
  }
}

/** Since when the network is gone, as far as the browser knows. */
function useOfflineSince(): number | undefined {
  const online = useSyncExternalStore(watchNetwork, () => navigator.onLine)
  const [since, setSince] = useState<number>()
  if (!online && since === undefined) setSince(Date.now())
  if (online && since !== undefined) setSince(undefined)
  return since
}

/** Says what one looks at while the control plane is not reached, and brings everything up to date afterwards. */
export function Banner() {
  const client = useQueryClient()
  const line = useLineState()
  const offline = useOfflineSince()
  const cut = line.state === 'cut-off' ? line.since : undefined
  const since = offline ?? cut
  const [shownFor, setShownFor] = useState<number>()
  useEffect(() => {
    if (since === undefined) return
    const timer = setTimeout(() => setShownFor(since), Math.max(0, since + PATIENCE_MS - Date.now()))
    return () => clearTimeout(timer)
  }, [since])
  const shown = since !== undefined && shownFor !== undefined
  const wasShown = useRef(false)
  const isBack = offline === undefined && line.state === 'live'
  useEffect(() => {
    if (shown) wasShown.current = true
    else if (isBack && wasShown.current) {
      wasShown.current = false
      setShownFor(undefined)
      notify(words.again)
      void client.invalidateQueries()
    }
  }, [shown, isBack, client])
  useEffect(() => {
    // What the network kept from coming need not wait for its turn.
    globalThis.addEventListener('online', retryNow)
    return () => globalThis.removeEventListener('online', retryNow)
  }, [])
  return (
    <div aria-live="polite" className="pointer-events-none fixed inset-x-0 bottom-4 z-40 flex justify-center px-3">
      {shown && (
        <section
          aria-label={words.label}
          className="pointer-events-auto flex max-w-[720px] flex-wrap items-center gap-x-3 gap-y-1.5 rounded-lg border border-line bg-raised px-3.5 py-2 shadow-raised"
        >
          <WifiOff size={15} className="shrink-0 text-bad" aria-hidden />
          <p className="min-w-0 flex-1 basis-72">
            <strong className="font-semibold">
              {offline === undefined ? words.cutOff(clockTime(since)) : words.offline(clockTime(offline))}
            </strong>{' '}
            <span className="text-muted">{words.stays}</span>
          </p>
          <Button small onClick={retryNow}>
            {words.now}
          </Button>
        </section>
      )}
    </div>
  )
}
