import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { alertLimitsQuery, alertsQuery, type Limits } from '@/api/alerts-queries'
import type { AlertRowFragment } from '@/api/generated/alerts'
import type { RuntimeRowFragment } from '@/api/generated/operations'
import type { Within } from '@/api/queries'
import { home as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { Said } from '@/ui/said'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { PlaceText } from '../access/place-text'
import { gravestFirst, looksOf } from '../alerts/alert'
import { SeverityMark } from '../alerts/frame'
import { NextSteps, TroubleRow } from './trouble'

/** So many are told of one by one; the page of alerts has all of them. */
const SHOWN = 8
/** The nearest places to look; the alert itself has all of them. */
const STEPS = 3

/** Alerts that fire and are not silenced, the worst first, without those that only repeat what is told of a silent runtime. */
export function useFiring(within: Within, told: Pick<RuntimeRowFragment, 'id' | 'status'>[]) {
  const blocked = useBlocked()('INTEGRATION_MGT_VIEW')
  const query = useInfiniteQuery({ ...alertsQuery({ ...within, states: ['FIRING'] }), enabled: !blocked })
  const silent = new Set(told.filter(({ status }) => status === 'OFFLINE').map(({ id }) => id))
  const all = query.data?.pages.flatMap((page) => page.nodes) ?? []
  const alerts = gravestFirst(all.filter(({ silenced, runtime }) => !silenced && !(runtime && silent.has(runtime.id))))
  return { query, alerts }
}

export function FiringAlerts({ within, alerts }: { within: Within; alerts: AlertRowFragment[] }) {
  const { data: limits } = useQuery({ ...alertLimitsQuery, enabled: alerts.length > 0 })
  return (
    <>
      {alerts.slice(0, SHOWN).map((alert) => (
        <FiringAlert key={alert.id} alert={alert} rule={limits?.find(({ id }) => id === alert.rule.id)} />
      ))}
      {alerts.length > SHOWN && (
        <li className="px-3.5 py-1.5">
          <Link {...to.alerts(within)} className="link nums">
            {words.rest(alerts.length - SHOWN)}
          </Link>
        </li>
      )}
    </>
  )
}

function FiringAlert({ alert, rule }: { alert: AlertRowFragment; rule: Limits | undefined }) {
  const blocked = useBlocked()
  const looks = looksOf(alert, rule, {
    runtimes: blocked('INTEGRATION_MGT_VIEW'),
    logs: blocked('OBSERVABILITY_MGT_VIEW_LOGS'),
    insights: blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS'),
    secrets: blocked('ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE'),
  })
  return (
    <TroubleRow
      mark={
        <>
          <SeverityMark severity={alert.severity} />
          <Age at={alert.since} className="text-faint" />
        </>
      }
      name={
        <Link {...to.alerts({ alert: alert.id })} data-row className="link block truncate">
          {alert.rule.name}
        </Link>
      }
      place={<PlaceText place={alert} />}
      steps={<NextSteps name={alert.rule.name} steps={looks.filter((look) => !look.blocked).slice(0, STEPS)} />}
    >
      <Said text={alert.message} />
    </TroubleRow>
  )
}
