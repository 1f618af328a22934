import { CircleCheck, CircleOff, KeyRound } from 'lucide-react'
import type { UserState } from '@/api/generated/people'
import { users as words } from '@/strings/access'

const looks = {
  ACTIVE: { icon: CircleCheck, tone: 'text-ok' },
  DISABLED: { icon: CircleOff, tone: 'text-bad' },
  MUST_CHANGE_PASSWORD: { icon: KeyRound, tone: 'text-warn' },
} as const

export function UserStateMark({ state }: { state: UserState }) {
  const { icon: Icon, tone } = looks[state]
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap font-medium ${tone}`}>
      <Icon size={13} aria-hidden />
      {words.states[state]}
    </span>
  )
}
