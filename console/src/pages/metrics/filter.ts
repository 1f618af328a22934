import type { MetricFilter } from '@/api/generated/telemetry'
import type { LogsSearch, MetricsSearch, StatusSearch, TracesSearch } from '@/util/search'
import { instant, type Window } from './window'

/** The scope of a search as the API takes it. */
function scopeOf(search: MetricsSearch, { fromS, toS }: Window): NonNullable<MetricFilter['scope']> {
  return {
    project: search.project ?? null,
    integrations: search.integration ? [search.integration] : null,
    environments: search.environment ? [search.environment] : null,
    runtimes: null,
    runtimeIds: search.runtime ? [search.runtime] : null,
    unclaimed: null,
    from: instant(fromS),
    to: instant(toS),
  }
}

/** What the charts show: everything that was chosen. */
export function chartFilter(search: MetricsSearch, window: Window): MetricFilter {
  return {
    ...tableFilter(search, window),
    services: search.service ? [search.service] : null,
    resources: search.resource ? [search.resource] : null,
  }
}

/** What the table offers: it stays as it is while one of its rows is shown alone. */
export function tableFilter(search: MetricsSearch, window: Window): MetricFilter {
  return { scope: scopeOf(search, window), services: null, resources: null, outbound: search.view === 'calls' }
}

/** The runtimes that there are to choose from. */
export function runtimesFilter(search: MetricsSearch, window: Window): MetricFilter {
  return tableFilter({ ...search, runtime: undefined }, window)
}

/** The logs of some time, with the filters that logs have, too. */
export function logsThen(search: MetricsSearch, fromS: number, toS: number): LogsSearch {
  const { project, integration, environment, runtime } = search
  const chosen = { project, integration, environment, runtime }
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined))
  return { ...given, ...statusOf(search), from: instant(fromS), to: instant(toS) }
}

/** Of the status that is looked at: what it stands for, and whose it is. */
function statusOf({ status, codes, view }: MetricsSearch): StatusSearch {
  if (status === undefined) return {}
  return { status: codes ?? [status], ...(view === 'calls' ? { calls: true } : {}) }
}

/** The traces of some time, with the filters that traces have, too: calls are named otherwise than what they lead to. */
export function tracesThen(search: MetricsSearch, fromS: number, toS: number): TracesSearch {
  const { service, resource, view } = search
  return {
    ...logsThen(search, fromS, toS),
    ...(service ? { service } : {}),
    ...(resource && view !== 'calls' ? { operation: resource } : {}),
  }
}

/** The same on the command line. */
export function commandOf(search: MetricsSearch, { fromS, toS, open }: Window): string[] {
  const { project, integration, environment, runtime, service, resource, view, from } = search
  const time = open && !from ? ['--since', `${(toS - fromS) / 60}m`] : ['--from', instant(fromS), '--to', instant(toS)]
  const chosen = Object.entries({ project, integration, environment, runtime, service, resource })
  return [
    'pilothouse',
    'metrics',
    ...chosen.flatMap(([name, value]) => (value ? [`--${name}`, value] : [])),
    ...time,
    ...(view === 'calls' ? ['--outbound'] : []),
  ]
}
