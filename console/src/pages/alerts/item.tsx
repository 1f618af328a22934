import { Link } from '@tanstack/react-router'
import { BellOff, CircleCheck, CircleX, Clock } from 'lucide-react'
import type { Limits } from '@/api/alerts-queries'
import type { AlertRowFragment } from '@/api/generated/alerts'
import { alerts as words } from '@/strings/alerts'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { Said } from '@/ui/said'
import { to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import { formatSpan } from '@/util/time'
import { PlaceText } from '../access/place-text'
import { type Told, toldOf, toldWords } from './alert'
import { figure, limit } from './figures'
import { SeverityMark } from './frame'

type AlertItemProps = {
  alert: AlertRowFragment
  rule: Limits | undefined
  /** Why the viewer may silence nothing at all. */
  blocked: string | undefined
  onSilence: (alert: AlertRowFragment) => void
}

/** One alert: how bad and since when, what and where, the figure against its limit, and who was told. */
export function AlertItem({ alert, rule, blocked, onSilence }: AlertItemProps) {
  const over = alert.state === 'RESOLVED'
  return (
    <li className="grid gap-x-4 gap-y-1 px-3.5 py-2 hover:bg-hover lg:grid-cols-[112px_minmax(0,1fr)_240px_88px]">
      <span className="flex flex-wrap items-baseline gap-x-2 lg:flex-col">
        <SeverityMark severity={alert.severity} calm={over} />
        <span className="text-[12px] text-muted">
          {over && alert.resolvedAt ? (
            <Age at={alert.resolvedAt} ago />
          ) : (
            <>
              {words.lasts} <Age at={alert.since} />
            </>
          )}
        </span>
      </span>
      <span className="min-w-0">
        <span className="flex flex-wrap items-center gap-x-2">
          <Link
            to="."
            search={(before: object) => ({ ...before, alert: alert.id })}
            data-row
            className="link min-w-0 break-words font-medium"
          >
            {alert.rule.name}
          </Link>
          {alert.silenced && <SilencedMark />}
        </span>
        <span className="block break-words">
          <Said text={alert.message} />
        </span>
        <Where alert={alert} />
      </span>
      <span className="min-w-0 space-y-0.5">
        <Measured alert={alert} rule={rule} />
        <ToldList alert={alert} />
      </span>
      <span className="flex items-start lg:justify-end">
        {!over && (
          <Button
            small
            look="plain"
            blocked={blocked}
            aria-label={words.silenceLabel(alert.rule.name)}
            onClick={() => onSilence(alert)}
          >
            <BellOff size={13} aria-hidden />
            {words.silence}
          </Button>
        )}
      </span>
    </li>
  )
}

export function SilencedMark() {
  return (
    <span
      data-tip={words.silencedTip}
      className="inline-flex items-center gap-1 rounded border border-edge px-1.5 text-[11px] leading-[18px] text-muted"
    >
      <BellOff size={11} aria-hidden />
      {words.silenced}
    </span>
  )
}

export function Where({ alert }: { alert: AlertRowFragment }) {
  const { runtime } = alert
  return (
    <span className="flex flex-wrap items-center gap-x-1.5 text-[12px] text-muted">
      {runtime && (
        <>
          <Link {...to.runtime(runtime.id)} className="mono link">
            {runtimeLabel(runtime)}
          </Link>
          <span className="text-faint">·</span>
        </>
      )}
      <PlaceText place={alert} />
    </span>
  )
}

/** What was measured against what the rule holds against it. */
export function Measured({ alert, rule }: { alert: AlertRowFragment; rule: Limits | undefined }) {
  const over =
    alert.state === 'RESOLVED' && alert.resolvedAt
      ? formatSpan(Date.parse(alert.resolvedAt) - Date.parse(alert.since))
      : undefined
  const value = rule && alert.value !== null ? figure(rule.condition, alert.value) : undefined
  const allowed = rule && value !== undefined ? limit(rule) : undefined
  if (value === undefined && over === undefined) return null
  return (
    <span className="nums flex flex-wrap gap-x-1.5">
      {value !== undefined && <span className="font-medium">{value}</span>}
      {allowed && <span className="text-muted">{allowed}</span>}
      {over && (
        <span className={value === undefined ? 'text-muted' : 'basis-full text-muted'}>{words.lasted(over)}</span>
      )}
    </span>
  )
}

const outcomes = {
  SENT: { icon: CircleCheck, tone: 'text-ok' },
  WAITING: { icon: Clock, tone: 'text-warn' },
  FAILED: { icon: CircleX, tone: 'text-bad' },
} as const

export function Outcome({ state, text, tip }: { state: Told['state']; text: string; tip?: string | null }) {
  const { icon: Icon, tone } = outcomes[state]
  return (
    <span className="flex items-start gap-1.5" data-tip={tip || undefined}>
      <Icon size={13} className={`mt-[3px] shrink-0 ${tone}`} aria-hidden />
      <span className="min-w-0 break-words">{text}</span>
    </span>
  )
}

function ToldList({ alert }: { alert: AlertRowFragment }) {
  const told = toldOf(alert.notifications)
  if (told.length === 0)
    return (
      <span className="block text-[12px] text-faint">{alert.silenced ? words.toldSilenced : words.toldNobody}</span>
    )
  return (
    <span className="block space-y-0.5 text-[12px] text-muted">
      {told.map((each) => (
        <Outcome key={each.channel} state={each.state} text={toldWords(each)} tip={each.reason} />
      ))}
    </span>
  )
}
