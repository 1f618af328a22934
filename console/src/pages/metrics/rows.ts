import type { MetricTableQuery } from '@/api/generated/telemetry'
import { metrics as words } from '@/strings/metrics'
import type { METRIC_ORDERS } from '@/util/choices'
import { METRIC_SHARES } from '@/util/choices'
import type { MetricsSearch } from '@/util/search'

type Series = MetricTableQuery['metrics']['series'][number]
export type Order = (typeof METRIC_ORDERS)[number]
type Shares = Record<(typeof METRIC_SHARES)[number], number | null>

/** A row of the table of services and resources. */
export type Row = Shares & {
  id: string
  project: string | undefined
  integration: string | undefined
  place: string | null
  service: string | null
  name: string | null
  count: number | null
  rate: number | null
  errors: number | null
  failed: number | null
}

/** Rows of an answer; the last two parts of its keys are service and resource. */
export function rowsOf(series: readonly Series[]): Row[] {
  return series.map(({ key, project, integration, total: { all, failed, errorRate } }) => {
    const [service = null, name = null] = key.slice(-2)
    const shares = Object.fromEntries(
      METRIC_SHARES.map((share) => [
        share,
        all?.percentiles.find(({ of }) => Math.abs(of - Number(share.slice(1)) / 100) < 1e-9)?.value ?? null,
      ]),
    ) as Shares
    return {
      ...shares,
      id: JSON.stringify(key),
      project: project?.handle,
      integration: integration?.handle,
      place: integration?.displayName ?? null,
      service,
      name,
      count: all?.count ?? null,
      rate: all?.rate ?? null,
      errors: errorRate,
      failed: failed?.count ?? null,
    }
  })
}

/** Rows in an order; what is unknown comes last, whichever way. */
export function inOrder(rows: readonly Row[], order: Order = 'count', up = false): Row[] {
  const sign = up ? 1 : -1
  return rows.toSorted((a, b) => {
    if (order === 'name') {
      const compared = `${a.service ?? ''} ${a.name ?? ''}`.localeCompare(`${b.service ?? ''} ${b.name ?? ''}`, 'en')
      return up ? -compared : compared
    }
    const [left, right] = [a[order], b[order]]
    if (left === null || right === null) return Number(left === null) - Number(right === null)
    return sign * (left - right)
  })
}

export function matches(row: Row, text: string | undefined): boolean {
  if (!text) return true
  const all = `${row.place ?? ''} ${row.service ?? ''} ${row.name ?? words.unnamed}`.toLowerCase()
  return all.includes(text.toLowerCase())
}

/** Whether the charts show this row alone. */
export function isAlone(row: Row, { service, resource, project, integration }: MetricsSearch): boolean {
  if (!service && !resource) return false
  const here = (row.project ?? project) === project && (row.integration ?? integration) === integration
  return here && service === (row.service ?? undefined) && resource === (row.name ?? undefined)
}

/** The services and resources that there are to choose from. */
export function choicesOf(rows: readonly Row[], service: string | undefined) {
  const each = (names: (string | null)[]) =>
    [...new Set(names)].filter((name) => name !== null).toSorted((a, b) => a.localeCompare(b, 'en'))
  return {
    services: each(rows.map((row) => row.service)),
    resources: each(rows.filter((row) => !service || row.service === service).map(({ name }) => name)),
  }
}
