import { Link, type LinkProps } from '@tanstack/react-router'
import {
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleOff,
  CircleX,
  Hourglass,
  OctagonPause,
  TriangleAlert,
} from 'lucide-react'
import type { ArtifactState, CountsFragment, RuntimeStatus } from '@/api/generated/operations'
import { stateMeanings, stateNames, statusNames, strings } from '@/strings/common'
import { withoutMarks } from '@/util/code-spans'

const looks = {
  RUNNING: { icon: CircleCheck, tone: 'text-ok' },
  OFFLINE: { icon: CircleOff, tone: 'text-bad' },
  UNKNOWN: { icon: CircleDashed, tone: 'text-warn' },
} as const

/** A status is always an icon and a word, never colour alone. */
export function Status({ status }: { status: RuntimeStatus }) {
  const { icon: Icon, tone } = looks[status]
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium ${tone}`}>
      <Icon size={14} aria-hidden />
      {statusNames[status]}
    </span>
  )
}

const stateLooks = {
  ENABLED: { icon: CircleCheck, tone: 'text-ok' },
  DISABLED: { icon: CircleOff, tone: 'text-muted' },
  GATED: { icon: OctagonPause, tone: 'text-warn' },
  DRAINING: { icon: Hourglass, tone: 'text-warn' },
  FAILED: { icon: CircleX, tone: 'text-bad' },
  UNKNOWN: { icon: CircleDashed, tone: 'text-faint' },
} as const

/** What an artifact was reported to be. Of a runtime that is `unheard` that is not known to be so now: no colour then. */
export function State({ state, unheard }: { state: ArtifactState; unheard: boolean }) {
  const { icon, tone: known } = stateLooks[state]
  const Icon = unheard ? CircleDashed : icon
  const tone = unheard ? 'text-faint' : known
  return (
    <span className={`inline-flex items-center gap-1.5 ${tone}`} data-tip={stateMeanings[state]}>
      <Icon size={13} aria-hidden />
      {stateNames[state]}
    </span>
  )
}

type CountsProps = {
  counts: CountsFragment
  empty: string
  /** Where those of one state are listed. */
  link?: (status: RuntimeStatus) => LinkProps
}

/** How many runtimes are in which state; states without any are left out. */
export function Counts({ counts, empty, link }: CountsProps) {
  if (counts.total === 0) return <span className="text-faint">{empty}</span>
  const parts = (['RUNNING', 'OFFLINE', 'UNKNOWN'] as const).map((status) => ({
    status,
    count: counts[status.toLowerCase() as 'running' | 'offline' | 'unknown'],
  }))
  return (
    <span className="nums inline-flex flex-wrap items-center gap-x-3 gap-y-0.5">
      {parts
        .filter((part) => part.count > 0)
        .map(({ status, count }) => {
          const { icon: Icon, tone } = looks[status]
          const className = `inline-flex items-center gap-1 ${tone}`
          const told = (
            <>
              <Icon size={13} aria-hidden />
              <span className="font-medium">{count}</span> {statusNames[status].toLowerCase()}
            </>
          )
          return link ? (
            <Link key={status} {...link(status)} className={`${className} hover:underline`}>
              {told}
            </Link>
          ) : (
            <span key={status} className={className}>
              {told}
            </span>
          )
        })}
    </span>
  )
}

export function CriticalBadge() {
  return (
    <span
      data-tip={strings.criticalMeaning}
      className="inline-flex items-center gap-1 rounded border border-edge px-1.5 text-[11px] font-normal leading-[18px] text-muted"
    >
      <CircleAlert size={11} aria-hidden />
      {strings.critical}
    </span>
  )
}

export function WarningMark({ text, children }: { text: string; children?: React.ReactNode }) {
  return (
    <span className="inline-flex items-center gap-1 text-warn" data-tip={text}>
      <TriangleAlert size={13} aria-label={withoutMarks(text)} role="img" />
      {children}
    </span>
  )
}
