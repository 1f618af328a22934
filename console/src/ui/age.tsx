import { strings } from '@/strings/common'
import { useAge } from '@/util/ticker'
import { exactTime } from '@/util/time'

/** A relative time that ticks by itself; the exact one is in the tip and for screen readers in the title. */
export function Age({ at, ago = false, className }: { at: string; ago?: boolean; className?: string }) {
  const span = useAge(at)
  return (
    <time dateTime={at} data-tip={exactTime(at)} className={`nums ${className ?? ''}`}>
      {ago ? strings.ago(span) : span}
    </time>
  )
}
