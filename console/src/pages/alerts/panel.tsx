import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Limits } from '@/api/alerts-queries'
import type { AlertRowFragment, ToldFragment } from '@/api/generated/alerts'
import { alerts as words } from '@/strings/alerts'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { Panel } from '@/ui/dialog'
import { LinkButton } from '@/ui/link-button'
import { Facts } from '@/ui/page'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import { serverNow } from '@/util/clock'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import { formatSpan } from '@/util/time'
import { PlaceText } from '../access/place-text'
import { looksOf } from './alert'
import { figure, limit } from './figures'
import { SeverityMark } from './frame'
import { Outcome, SilencedMark } from './item'

type AlertPanelProps = {
  alert: AlertRowFragment | undefined
  rule: Limits | undefined
  blocked: string | undefined
  onSilence: (alert: AlertRowFragment) => void
  onClose: () => void
}

/** Everything about one alert: what was found, where to look, and every message that was sent. */
export function AlertPanel({ alert, onClose, ...rest }: AlertPanelProps) {
  return (
    <Panel
      open
      onOpenChange={(open) => !open && onClose()}
      title={alert?.rule.name ?? words.panel.missing}
      about={alert && words.panel.about}
    >
      {alert ? <Known alert={alert} {...rest} /> : <Empty title={words.panel.missing}>{words.panel.missingText}</Empty>}
    </Panel>
  )
}

type Fact = [string, ReactNode]

function Known({ alert, rule, blocked, onSilence }: { alert: AlertRowFragment } & Omit<AlertPanelProps, 'onClose'>) {
  const mayNot = useBlocked()
  const over = alert.state === 'RESOLVED'
  const allowed = rule && limit(rule)
  const looks = looksOf(alert, rule, {
    runtimes: mayNot('INTEGRATION_MGT_VIEW'),
    logs: mayNot('OBSERVABILITY_MGT_VIEW_LOGS'),
    insights: mayNot('OBSERVABILITY_MGT_VIEW_INSIGHTS'),
    secrets: mayNot('ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE'),
  })
  const facts: Fact[] = [
    [
      words.panel.state,
      <span key="state" className="inline-flex items-center gap-2">
        {words.states[alert.state]}
        {alert.silenced && <SilencedMark />}
      </span>,
    ],
    [words.panel.severity, <SeverityMark key="severity" severity={alert.severity} calm={over} />],
    [words.panel.found, <Said key="found" text={alert.message} />],
    ...(rule && alert.value !== null ? [[words.panel.value, figure(rule.condition, alert.value)] as Fact] : []),
    ...(allowed ? [[words.panel.limit, allowed] as Fact] : []),
    ...(alert.runtime
      ? [
          [
            words.panel.runtime,
            <Link key="runtime" {...to.runtime(alert.runtime.id)} className="mono link">
              {runtimeLabel(alert.runtime)}
            </Link>,
          ] as Fact,
        ]
      : []),
    [words.panel.where, <PlaceText key="where" place={alert} />],
    [words.panel.since, <Age key="since" at={alert.since} ago />],
    ...(alert.firedAt ? [[words.panel.fired, <Age key="fired" at={alert.firedAt} ago />] as Fact] : []),
    ...(alert.resolvedAt ? [[words.panel.resolved, <Age key="resolved" at={alert.resolvedAt} ago />] as Fact] : []),
    [
      words.panel.rule,
      <Link key="rule" {...to.alertRules({ rule: alert.rule.id })} className="link">
        {alert.rule.name}
      </Link>,
    ],
  ]
  return (
    <div className="space-y-4 pb-6">
      <Facts facts={facts} />
      <section className="px-3.5" aria-label={words.panel.look}>
        <h3 className="mb-1.5 font-medium">{words.panel.look}</h3>
        <div className="flex flex-wrap gap-2">
          {looks.map(({ name, ...look }) => (
            <LinkButton key={name} {...look}>
              {name}
            </LinkButton>
          ))}
          {!over && (
            <Button blocked={blocked} onClick={() => onSilence(alert)}>
              {words.silence}
            </Button>
          )}
        </div>
      </section>
      <section className="px-3.5" aria-label={words.panel.deliveries}>
        <h3 className="mb-1 font-medium">{words.panel.deliveries}</h3>
        {alert.notifications.length === 0 ? (
          <p className="text-muted">{nothingSent(alert)}</p>
        ) : (
          <ol className="divide-y divide-line rounded-md border border-line">
            {alert.notifications.map((each) => (
              <Delivery key={each.id} told={each} />
            ))}
          </ol>
        )}
      </section>
    </div>
  )
}

function nothingSent({ silenced, state }: AlertRowFragment): string {
  if (state === 'PENDING') return words.panel.nothingSentPending
  return silenced ? words.panel.nothingSentSilenced : words.panel.nothingSent
}

function Delivery({ told }: { told: ToldFragment }) {
  const { kind, state, attempts, reason, nextAttemptAt } = told
  const wait = nextAttemptAt ? Date.parse(nextAttemptAt) - serverNow() : 0
  return (
    <li className="px-2.5 py-1.5">
      <span className="flex flex-wrap items-baseline gap-x-2">
        <span className="font-medium">{told.channel?.name ?? words.goneChannel}</span>
        <span className="text-muted">{words.panel.kinds[kind] ?? kind}</span>
        <Age at={told.sentAt ?? told.createdAt} ago className="ml-auto text-[12px] text-muted" />
      </span>
      <span className="flex flex-wrap items-baseline gap-x-2 text-[12px]">
        <Outcome state={state} text={words.panel.outcomes[state]} />
        {attempts > 0 && <span className="text-muted">{words.panel.attempts(attempts)}</span>}
        {state === 'WAITING' && nextAttemptAt && (
          <span className="text-muted">
            {wait > 0 ? words.panel.nextAttempt(formatSpan(wait)) : words.panel.nextAttemptNow}
          </span>
        )}
      </span>
      {reason && (
        <p className="break-words text-[12px] text-muted">
          <Said text={reason} />
        </p>
      )}
    </li>
  )
}
