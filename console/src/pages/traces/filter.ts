import type { TelemetryScope, TraceFilter } from '@/api/generated/telemetry'
import type { TracesSearch } from '@/util/search'
import { timeOf } from '../logs/filter'

const MINUTE_MS = 60_000

export function traceScope(search: TracesSearch, now: number): TelemetryScope {
  const { project, integration, environment, runtime } = search
  return {
    project: project ?? null,
    integrations: integration ? [integration] : null,
    environments: environment ? [environment] : null,
    runtimes: null,
    runtimeIds: runtime ? [runtime] : null,
    unclaimed: null,
    ...timeOf(search, now),
  }
}

export function traceFilter(search: TracesSearch, now: number): TraceFilter {
  const { service, operation, failed, slower, status, calls } = search
  return {
    scope: traceScope(search, now),
    services: service ? [service] : null,
    name: operation ?? null,
    failed: failed ?? null,
    durationMs: slower ?? null,
    statuses: status ?? null,
    outbound: status && calls ? true : null,
  }
}

/** What is emptied by "clear filters": everything but the place and the length of time. */
export const NO_FILTER = {
  runtime: undefined,
  service: undefined,
  operation: undefined,
  failed: undefined,
  slower: undefined,
  status: undefined,
  calls: undefined,
  from: undefined,
  to: undefined,
} satisfies TracesSearch

/** Whether something is asked that may leave out traces which are there. */
export function isNarrow({ runtime, service, operation, failed, slower, status }: TracesSearch): boolean {
  return Boolean(runtime || service || operation || failed || slower || status)
}

/** The time around what happened in which its log lines lie: programs say something before and after. */
export function around(at: string, durationMs: number): { from: string; to: string } {
  const begin = Date.parse(at)
  return {
    from: new Date(begin - MINUTE_MS).toISOString(),
    to: new Date(begin + Math.ceil(durationMs) + MINUTE_MS).toISOString(),
  }
}

/** An instant as a field for local time takes it; an empty text for none. */
export function localInput(iso: string | undefined): string {
  if (!iso) return ''
  const at = new Date(iso)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`
}

/** What such a field says, with its zone: a link means the same instant wherever it is opened. */
export function instantOf(local: string | undefined): string | undefined {
  return local && !Number.isNaN(Date.parse(local)) ? new Date(local).toISOString() : undefined
}

/** Seconds that a scope spans, counted to now where it has no end. */
export function lengthS({ from, to }: TelemetryScope, now: number): number {
  return Math.max(1, ((to ? Date.parse(to) : now) - (from ? Date.parse(from) : now)) / 1000)
}
