import { ArrowRight, Ban, CircleCheck, CircleX, Clock, History } from 'lucide-react'
import type { CommandState } from '@/api/generated/operations'
import { commands as words } from '@/strings/steering'

const looks = {
  QUEUED: { icon: Clock, tone: 'text-muted' },
  DELIVERED: { icon: ArrowRight, tone: 'text-link' },
  CONFIRMED: { icon: CircleCheck, tone: 'text-ok' },
  FAILED: { icon: CircleX, tone: 'text-bad' },
  SUPERSEDED: { icon: History, tone: 'text-faint' },
  EXPIRED: { icon: Ban, tone: 'text-warn' },
} as const

/** How a command stands: an icon and a word. */
export function CommandMark({ state }: { state: CommandState }) {
  const { icon: Icon, tone } = looks[state]
  return (
    <span className={`inline-flex items-center gap-1 whitespace-nowrap font-medium ${tone}`}>
      <Icon size={13} aria-hidden />
      {words.states[state]}
    </span>
  )
}
