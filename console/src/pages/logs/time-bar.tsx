import { ZoomOut } from 'lucide-react'
import { logs as words } from '@/strings/logs'
import { Button } from '@/ui/button'
import { serverNow } from '@/util/clock'
import type { LogsSearch } from '@/util/search'
import { exactTime } from '@/util/time'
import { wider } from './zoom'

type TimeBarProps = { search: LogsSearch; onChange: (next: Partial<LogsSearch>, replace?: boolean) => void }

/** The time that one zoomed to, and the ways out of it. */
export function TimeBar({ search, onChange }: TimeBarProps) {
  const { from, to } = search
  if (!from) return null
  return (
    <section aria-label={words.timeShown} className="nums mb-2 flex flex-wrap items-center gap-2 text-muted">
      <span>
        {exactTime(from)}
        {to && ` – ${exactTime(to)}`}
      </span>
      <Button small onClick={() => onChange({ ...wider(search, serverNow()), live: undefined })}>
        <ZoomOut size={13} aria-hidden />
        {words.zoomOut}
      </Button>
      <Button small onClick={() => onChange({ from: undefined, to: undefined })}>
        {words.leaveTime}
      </Button>
    </section>
  )
}
