import type { LogFilter, Severity } from '@/api/generated/telemetry'
import { SEVERITIES, SPANS } from '@/util/choices'
import { API } from '@/util/paths'
import type { LogsSearch } from '@/util/search'

const MINUTE = 60_000
const LENGTHS = { '15m': 15, '1h': 60, '6h': 360, '1d': 1_440, '7d': 10_080, '30d': 43_200 } as const

/** The time that a search names: a chosen one, or up to now. */
export function timeOf({ span, from, to }: LogsSearch, now: number): { from: string; to: string | null } {
  if (from) return { from: new Date(from).toISOString(), to: to ? new Date(to).toISOString() : null }
  return { from: new Date(now - LENGTHS[span ?? SPANS[1]] * MINUTE).toISOString(), to: null }
}

/** A level and all that are worse. */
export function andWorse(level: Severity | undefined): Severity[] | null {
  return level ? SEVERITIES.slice(SEVERITIES.indexOf(level)) : null
}

export function logFilter(search: LogsSearch, now: number): LogFilter {
  return {
    scope: {
      project: search.project ?? null,
      integrations: search.integration ? [search.integration] : null,
      environments: search.environment ? [search.environment] : null,
      runtimes: null,
      runtimeIds: search.runtime ? [search.runtime] : null,
      unclaimed: null,
      ...timeOf(search, now),
    },
    levels: andWorse(search.level),
    phrase: search.search ?? null,
    ignoreCase: null,
    token: search.token ?? null,
    regex: null,
    traceId: search.trace ?? null,
    logger: null,
    attributes: null,
    statuses: search.status ?? null,
    outbound: search.status && search.calls ? true : null,
  }
}

/** The address of the whole result as a file. */
export function downloadAddress(filter: LogFilter, format: string): string {
  const { scope, levels, phrase, token, traceId, statuses, outbound } = filter
  const query = new URLSearchParams({ format })
  const add = (name: string, value: string | null | undefined) => value && query.append(name, value)
  add('project', scope?.project)
  for (const each of scope?.integrations ?? []) add('integration', each)
  for (const each of scope?.environments ?? []) add('environment', each)
  for (const each of scope?.runtimeIds ?? []) add('runtimeId', each)
  for (const each of levels ?? []) add('level', each)
  add('phrase', phrase)
  add('word', token)
  add('traceId', traceId)
  for (const each of statuses ?? []) add('status', each)
  if (outbound) add('outbound', 'true')
  add('from', scope?.from)
  add('to', scope?.to)
  return `${API.logs}?${query.toString()}`
}
