import { CircleAlert, CircleCheck, X } from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { strings } from '@/strings/common'
import { Said } from './said'

type Tone = 'ok' | 'bad'
type Notice = { id: number; text: string; tone: Tone }

/** Success leaves by itself; a failure stays until it is dismissed. Five at most, oldest go first. */
const SHOWN_MS = 5_000
const CAP = 5
let notices: Notice[] = []
let next = 1
const watchers = new Set<() => void>()

function set(value: Notice[]): void {
  notices = value
  for (const watcher of watchers) watcher()
}

function dismiss(id: number): void {
  set(notices.filter((notice) => notice.id !== id))
}

export function notify(text: string, tone: Tone = 'ok'): void {
  const id = next++
  set([...notices, { id, text, tone }].slice(-CAP))
  if (tone === 'ok') setTimeout(() => dismiss(id), SHOWN_MS)
}

const watch = (watcher: () => void) => {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

export function Notices() {
  const shown = useSyncExternalStore(watch, () => notices)
  return (
    <div role="status" className="fixed bottom-4 right-4 z-50 flex w-[min(380px,calc(100vw-32px))] flex-col gap-2">
      {shown.map(({ id, text, tone }) => (
        <div
          key={id}
          className="flex items-start gap-2 rounded-lg border border-line bg-raised px-3 py-2 shadow-raised"
        >
          {tone === 'ok' ? (
            <CircleCheck size={15} className="mt-0.5 shrink-0 text-ok" aria-hidden />
          ) : (
            <CircleAlert size={15} className="mt-0.5 shrink-0 text-bad" aria-hidden />
          )}
          <span className="min-w-0 flex-1 break-words">
            <Said text={text} />
          </span>
          <button
            type="button"
            aria-label={strings.dismiss}
            onClick={() => dismiss(id)}
            className="rounded text-muted hover:text-ink"
          >
            <X size={14} aria-hidden />
          </button>
        </div>
      ))}
    </div>
  )
}
