import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { telemetryStoreQuery } from '@/api/metrics-queries'
import { home as words } from '@/strings/tenancy'
import { Said } from '@/ui/said'
import { WarningMark } from '@/ui/status'
import { to } from '@/util/paths'
import { TroubleRow } from './trouble'

/** What the store of logs, metrics and traces cannot do now, and what to do; nothing while all is well. */
export function StoreTrouble() {
  const { data } = useQuery(telemetryStoreQuery)
  if (!data?.degraded) return null
  return (
    <ul className="border-b border-line">
      <TroubleRow
        mark={
          <WarningMark text={words.telemetry}>
            <span className="font-medium">{words.telemetry}</span>
          </WarningMark>
        }
        name={
          <Link {...to.logs()} data-row className="link">
            {words.telemetryText}
          </Link>
        }
      >
        <Said text={data.degraded} />
      </TroubleRow>
    </ul>
  )
}
