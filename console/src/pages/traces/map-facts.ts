import type { ServiceMapQuery } from '@/api/generated/telemetry'
import { traces as words } from '@/strings/traces'
import { to } from '@/util/paths'
import type { TracesSearch } from '@/util/search'
import { formatMs } from './axis'

export type ServiceMap = ServiceMapQuery['serviceMap'] & {
  /** Length of the time; undefined where not all of it was read. Units: s. */
  seconds: number | undefined
}
export type ServiceNode = ServiceMap['nodes'][number]
export type ServiceEdge = ServiceMap['edges'][number]

const { map: said } = words

/** Calls per second in three digits. */
export function formatRate(calls: number, seconds: number): string {
  const rate = calls / seconds
  return said.rate(
    rate >= 100 ? rate.toFixed(0) : rate >= 10 ? rate.toFixed(1) : rate >= 0.01 ? rate.toFixed(2) : '< 0.01',
  )
}

/** Failed of all in percent; what is not zero is never shown as zero. */
export function formatShare(failed: number, all: number): string {
  if (failed === 0 || all === 0) return '0 %'
  const percent = (failed / all) * 100
  return percent < 0.1 ? '< 0.1 %' : `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`
}

export function formatP95(p95Ms: number | null): string {
  return p95Ms === null ? said.unknownP95 : formatMs(p95Ms)
}

/** What stands beside an arrow: how much, and how long it takes. */
export function labelOf({ calls, p95Ms }: ServiceEdge, seconds: number | undefined): string {
  return `${seconds ? formatRate(calls, seconds) : calls.toLocaleString('en')} · ${formatP95(p95Ms)}`
}

/** The traces of a service; undefined for what sends no spans itself. */
export function tracesOf(node: ServiceNode, { span, from, to: end, environment }: TracesSearch, failed?: true) {
  if (!node.integration || !node.project) return undefined
  return to.traces({
    project: node.project.handle,
    integration: node.integration.handle,
    environment,
    service: node.name || undefined,
    failed,
    span,
    from,
    to: end,
  })
}
