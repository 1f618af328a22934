import type { ConsumerFactsFragment, ListenerFactsFragment, ScheduleFactsFragment } from '@/api/generated/operations'
import { runtime as words } from '@/strings/runtimes'
import { HostedCard, type HostedColumn } from './hosted'
import type { RuntimeFacts } from './index'

type CardProps = { runtime: RuntimeFacts; onMore: () => void; loading: boolean }

const listenerColumns: HostedColumn<ListenerFactsFragment>[] = [
  { title: words.columns.protocol, cell: ({ protocol }) => protocol },
  {
    title: words.columns.address,
    className: 'mono',
    cell: ({ host, port }) => [host, port].filter((part) => part != null).join(':'),
  },
]

export function Listeners({ runtime, ...more }: CardProps) {
  return (
    <HostedCard
      title={words.listeners}
      runtime={runtime}
      kind="LISTENER"
      rows={runtime.listeners.nodes}
      total={runtime.listeners.totalCount}
      columns={listenerColumns}
      empty={words.noListeners}
      {...more}
    />
  )
}

const consumerColumns: HostedColumn<ConsumerFactsFragment>[] = [
  { title: words.columns.protocol, cell: ({ protocol }) => protocol },
  {
    title: words.sourceColumn,
    cell: ({ source, group }) => (
      <>
        <code>{source}</code>
        {group && <span className="text-muted"> {words.group(group)}</span>}
      </>
    ),
  },
  { title: words.handler, className: 'mono text-faint', cell: ({ handler }) => handler },
]

export function Consumers({ runtime, ...more }: CardProps) {
  if (runtime.consumers.totalCount === 0) return null
  return (
    <HostedCard
      title={words.consumers}
      runtime={runtime}
      kind="CONSUMER"
      rows={runtime.consumers.nodes}
      total={runtime.consumers.totalCount}
      columns={consumerColumns}
      empty=""
      {...more}
    />
  )
}

const scheduleColumns: HostedColumn<ScheduleFactsFragment>[] = [
  { title: words.trigger, cell: ({ trigger }) => trigger },
  { title: words.handler, className: 'mono text-faint', cell: ({ handler }) => handler },
]

export function Schedules({ runtime, ...more }: CardProps) {
  if (runtime.schedules.totalCount === 0) return null
  return (
    <HostedCard
      title={words.schedules}
      runtime={runtime}
      kind="SCHEDULE"
      rows={runtime.schedules.nodes}
      total={runtime.schedules.totalCount}
      columns={scheduleColumns}
      empty=""
      {...more}
    />
  )
}
