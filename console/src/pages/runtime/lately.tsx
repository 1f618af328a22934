import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, type LinkProps, useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { metricTableQuery } from '@/api/metrics-queries'
import { eventsQuery } from '@/api/people-queries'
import { logsQuery } from '@/api/telemetry-queries'
import { lately as words } from '@/strings/runtimes'
import { Age } from '@/ui/age'
import { buttonClass } from '@/ui/button'
import { LinkButton } from '@/ui/link-button'
import { Card, Facts } from '@/ui/page'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { serverNow } from '@/util/clock'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import { useMinute } from '@/util/ticker'
import { format, formatCount } from '../metrics/format'
import type { RuntimeFacts } from './index'
import { latelyOf } from './lately-time'

/** Who may not see lines does not load what draws them. */
const LogLine = lazily(async () => (await import('../logs/line')).LogLine)

const LINES_SHOWN = 8
const EVENTS_SHOWN = 6
const LINES_EVERY_MS = 10_000

function useLately(runtime: RuntimeFacts) {
  useMinute()
  return latelyOf(runtime, serverNow())
}

/** What it said last: of a silent one that is where the reason is looked for first. */
export function LatestLines({ runtime }: { runtime: RuntimeFacts }) {
  const navigate = useNavigate()
  const { project, integration, environment, runtimeId, permissions } = runtime
  const blocked = mayNot(permissions, 'OBSERVABILITY_MGT_VIEW_LOGS')
  const time = useLately(runtime)
  const query = useInfiniteQuery({
    ...logsQuery({ scope: { runtimeIds: [runtimeId], ...time } }, true),
    enabled: !blocked,
    placeholderData: keepPreviousData,
    refetchInterval: runtime.status === 'RUNNING' ? LINES_EVERY_MS : false,
  })
  const lines = query.data?.pages[0]?.nodes.slice(0, LINES_SHOWN) ?? []
  const search = { runtime: runtimeId, environment: environment.handle, ...time }
  const title = time.to ? words.linesBefore : words.lines
  return (
    <OpenCard
      title={title}
      blocked={blocked}
      link={to.integrationLogs(project.handle, integration.handle, search)}
      leadsTo={words.allLines}
    >
      <Loaded
        what={words.linesWhat}
        query={query}
        isEmpty={lines.length === 0}
        empty={words.noLines}
        rows={LINES_SHOWN}
      >
        <ul className="overflow-x-auto">
          {lines.map((line) => (
            <LogLine
              key={line.id}
              line={line}
              withoutOrigin
              onTrace={(trace) => void navigate(to.integrationLogs(project.handle, integration.handle, { trace }))}
            />
          ))}
        </ul>
      </Loaded>
    </OpenCard>
  )
}

/** How much it answered in the last hour, how well and how fast. */
export function Traffic({ runtime }: { runtime: RuntimeFacts }) {
  const { project, integration, runtimeId, permissions } = runtime
  const blocked = mayNot(permissions, 'OBSERVABILITY_MGT_VIEW_INSIGHTS')
  const time = useLately(runtime)
  const query = useQuery({
    ...metricTableQuery({ filter: { scope: { runtimeIds: [runtimeId], ...time }, outbound: false }, by: [] }),
    enabled: !blocked,
    placeholderData: keepPreviousData,
  })
  const total = query.data?.series[0]?.total
  const share = total?.all?.percentiles.find(({ of }) => of === SHARE)
  const search = { runtime: runtimeId, ...time }
  const title = time.to ? words.trafficBefore : words.traffic
  return (
    <OpenCard
      title={title}
      blocked={blocked}
      link={to.integrationMetrics(project.handle, integration.handle, search)}
      leadsTo={words.charts}
    >
      <Loaded what={words.trafficWhat} query={query} isEmpty={!total?.all} empty={words.noTraffic} rows={3}>
        <Facts
          facts={[
            [
              words.requests,
              <span key="requests">{`${formatCount(total?.all?.count)} (${format('rate', total?.all?.rate)})`}</span>,
            ],
            [
              words.failed,
              <span key="failed" className={total?.errorRate ? 'text-bad' : ''}>
                {`${formatCount(total?.failed?.count ?? 0)} (${format('share', total?.errorRate)})`}
              </span>,
            ],
            [words.slowest, <span key="slowest">{format('time', share?.value)}</span>],
          ]}
        />
      </Loaded>
    </OpenCard>
  )
}

/** The percentile that is told here; the charts have all of them. */
const SHARE = 0.95

/** What happened to it, the newest first. */
export function LatestEvents({ runtime }: { runtime: RuntimeFacts }) {
  const query = useInfiniteQuery({ ...eventsQuery({ runtime: runtime.id }), refetchInterval: LINES_EVERY_MS })
  const events = query.data?.pages[0]?.nodes.slice(0, EVENTS_SHOWN) ?? []
  return (
    <Card
      title={words.events}
      label={words.events}
      actions={
        <Link {...to.runtimeEvents(runtime.id)} className={buttonClass('plain', true)}>
          {words.allEvents}
        </Link>
      }
    >
      <Loaded what={words.eventsWhat} query={query} isEmpty={events.length === 0} empty={words.noEvents} rows={3}>
        <ol className="divide-y divide-line">
          {events.map((event) => (
            <li key={event.sequence} className="px-3.5 py-1">
              <span className="flex items-baseline gap-2 text-[12px]">
                <code className="text-muted">{event.kind}</code>
                <Age at={event.at} ago className="ml-auto whitespace-nowrap text-faint" />
              </span>
              <span className="text-muted">
                <Said text={event.message} />
              </span>
            </li>
          ))}
        </ol>
      </Loaded>
    </Card>
  )
}

type OpenCardProps = {
  title: string
  /** Why its content is not open to who looks at it, or undefined. */
  blocked: string | undefined
  link: LinkProps
  leadsTo: string
  children: ReactNode
}

/** A part that a permission opens, with the way to all of it. */
function OpenCard({ title, blocked, link, leadsTo, children }: OpenCardProps) {
  return (
    <Card
      title={title}
      label={title}
      actions={
        <LinkButton small link={link} blocked={blocked}>
          {leadsTo}
        </LinkButton>
      }
    >
      {blocked ? <p className="px-3.5 py-3 text-muted">{blocked}</p> : children}
    </Card>
  )
}

type LoadedProps = {
  what: string
  query: { isPending: boolean; isError: boolean; error: unknown; data: unknown; refetch: () => unknown }
  isEmpty: boolean
  empty: string
  rows?: number
  children: ReactNode
}

/** The states of a part: loading, could not load, nothing, something. */
function Loaded({ what, query, isEmpty, empty, rows = 4, children }: LoadedProps) {
  if (query.isPending) return <Skeleton label={what} rows={rows} />
  if (query.isError && query.data === undefined)
    return <CouldNotLoad what={what} error={query.error} onRetry={() => void query.refetch()} />
  return isEmpty ? <Empty title={empty} /> : children
}
