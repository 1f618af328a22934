import { Ban, CircleCheck, Hourglass, TimerOff, Undo2 } from 'lucide-react'
import type { SecretRowFragment } from '@/api/generated/operations'
import { secrets as words } from '@/strings/secrets'
import { Age } from '@/ui/age'
import { useUntil } from '@/util/ticker'
import { exactTime } from '@/util/time'

const looks = {
  ACTIVE: { icon: CircleCheck, tone: 'text-ok' },
  EXPIRING: { icon: Hourglass, tone: 'text-warn' },
  EXPIRED: { icon: TimerOff, tone: 'text-bad' },
  REVOKING: { icon: Undo2, tone: 'text-warn' },
  REVOKED: { icon: Ban, tone: 'text-muted' },
} as const

type Facts = Pick<SecretRowFragment, 'state' | 'expiresAt' | 'revokedFrom'>

/** How a secret stands, and the instant that matters next. */
export function SecretState({ secret: { state, expiresAt, revokedFrom } }: { secret: Facts }) {
  const { icon: Icon, tone } = looks[state]
  const ends = state === 'REVOKING' ? revokedFrom : expiresAt
  return (
    <span className="inline-flex flex-wrap items-center gap-x-1.5 sm:flex-nowrap">
      <span className={`inline-flex items-center gap-1.5 font-medium ${tone}`}>
        <Icon size={13} aria-hidden />
        {words.states[state]}
      </span>
      {ends && state !== 'REVOKED' && <Until at={ends} />}
    </span>
  )
}

/** An instant ahead as a span, or how long ago it was. */
export function Until({ at }: { at: string }) {
  const left = useUntil(at)
  if (left === undefined) return <Age at={at} ago className="text-faint" />
  return (
    <time dateTime={at} data-tip={exactTime(at)} className="nums text-muted">
      {words.expiresIn(left)}
    </time>
  )
}
