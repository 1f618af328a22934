import type * as api from '../src/api/generated/schema'
import type { Db, RuntimeRecord } from './db'

type Resource = { name: string; perS: number; p50: number; failing: number }
type Cell = { count: number; failed: number; p50: number }

type Part = { count: number; p50: number }

/** What each integration answers and calls. Units: 1/s of one runtime, s, share that fails. */
const ANSWERED: Record<string, Resource[]> = {
  'order-create': [
    { name: 'POST /orders', perS: 2.4, p50: 0.045, failing: 0.004 },
    { name: 'GET /orders/{id}', perS: 5.1, p50: 0.009, failing: 0.001 },
    { name: 'DELETE /orders/{id}', perS: 0.08, p50: 0.03, failing: 0.02 },
  ],
  'order-status': [
    { name: 'GET /orders/{id}/status', perS: 7.2, p50: 0.006, failing: 0.0005 },
    { name: 'GET /health', perS: 0.1, p50: 0.001, failing: 0 },
  ],
  'invoice-sync': [{ name: 'POST /invoices', perS: 0.6, p50: 0.21, failing: 0.01 }],
  'payment-gateway': [
    { name: 'POST /payments', perS: 1.1, p50: 0.34, failing: 0.013 },
    { name: 'GET /payments/{id}', perS: 1.9, p50: 0.02, failing: 0.001 },
  ],
  'stock-level': [
    { name: 'GET /stock/{article}', perS: 9.3, p50: 0.004, failing: 0.0002 },
    { name: 'PUT /stock/{article}', perS: 0.7, p50: 0.016, failing: 0.002 },
  ],
  'crm-bridge': [{ name: 'POST /customers', perS: 0.3, p50: 0.12, failing: 0.006 }],
}
const CALLED: Record<string, Resource[]> = {
  'order-create': [
    { name: 'POST warehouse.internal', perS: 2.2, p50: 0.03, failing: 0.002 },
    { name: 'POST payments.internal', perS: 2.1, p50: 0.28, failing: 0.012 },
  ],
  'invoice-sync': [{ name: 'PUT erp.example.com', perS: 0.6, p50: 0.4, failing: 0.02 }],
  'stock-level': [{ name: 'GET erp.example.com', perS: 0.9, p50: 0.15, failing: 0.004 }],
}
const MINUTE_S = 60
const DAY_S = 86_400
/** The store was away; nothing arrived. Units: s before the demo began. */
const GAP_S = [34 * MINUTE_S, 29 * MINUTE_S] as const
/** The warehouse was slow, and orders failed. */
const BURST_S = [16 * MINUTE_S, 10 * MINUTE_S] as const
const BURST = { integration: 'order-create', environment: 'prod', failing: 0.38, slower: 6 }

/** A number of 0 to 1 that is the same each time it is asked for. */
function chance(...parts: (string | number)[]): number {
  let hash = 2_166_136_261
  for (const char of parts.join(' ')) hash = Math.imul(hash ^ char.charCodeAt(0), 16_777_619)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 2_246_822_519)
  hash ^= hash >>> 13
  return (hash >>> 0) / 4_294_967_296
}

/** Shares of requests by how many times slower than the median they are: a long tail to the right. */
const SHAPE: [number, number][] = [
  [0.05, 0.55],
  [0.15, 0.75],
  [0.3, 0.95],
  [0.2, 1.15],
  [0.15, 1.6],
  [0.08, 2.4],
  [0.04, 3.8],
  [0.02, 6.5],
  [0.01, 12],
]

/** Values in buckets of equal ratio, as the store keeps them. */
const A_POWER = 16

class Spread {
  private readonly buckets = new Map<number, number>()
  count = 0

  add({ count, p50 }: Part): void {
    if (count === 0) return
    this.count += count
    for (const [weight, times] of SHAPE) {
      const index = Math.round(Math.log2(p50 * times) * A_POWER)
      this.buckets.set(index, (this.buckets.get(index) ?? 0) + count * weight)
    }
  }

  percentiles(shares: readonly number[]): (number | null)[] {
    const sorted = [...this.buckets].toSorted(([a], [b]) => a - b)
    return shares.map((share) => {
      const rank = share * this.count - 1e-6
      let seen = 0
      for (const [index, count] of sorted) {
        seen += count
        if (seen >= rank) return 2 ** (index / A_POWER)
      }
      return null
    })
  }
}

type Asked = {
  filter?: api.MetricFilter | null
  name?: string | null
  by?: api.MetricDimension[] | null
  stepS?: number | null
  percentiles?: number[] | null
}
type Source = { runtime: RuntimeRecord; resource: Resource | null }
type Time = { fromS: number; toS: number; stepS: number }

const PROCESS_NAMES = [
  'process.cpu.utilization',
  'process.memory.usage',
  'pilothouse.event_loop.lag',
  'pilothouse.gc.pause',
]

/** The figures of the demo: made up anew for each question, and the same each time. */
class Figures {
  private readonly beganS = Date.now() / 1_000

  /** Whether anything was told of a time: neither while the store was away, nor after a runtime fell silent. */
  private isKnown({ runtime }: Source, atS: number): boolean {
    if (atS >= this.beganS - GAP_S[0] && atS < this.beganS - GAP_S[1]) return false
    const last = runtime.lastHeartbeatAt ? Date.parse(runtime.lastHeartbeatAt) / 1_000 : 0
    return !runtime.unheard && (!runtime.silent || atS < last)
  }

  private inBurst({ runtime, resource }: Source, atS: number): boolean {
    const { integration, environment } = BURST
    const isTime = atS >= this.beganS - BURST_S[0] && atS < this.beganS - BURST_S[1]
    return (
      isTime &&
      resource?.name.startsWith('POST') === true &&
      runtime.integration.handle === integration &&
      runtime.environment.handle === environment
    )
  }

  /** What one runtime did with one resource in a step, or null where nothing is known of it. */
  traffic(source: Source, beginS: number, lengthS: number): Cell | null {
    const { runtime, resource } = source
    const atS = beginS + lengthS / 2
    if (!resource || !this.isKnown(source, atS)) return null
    const isProd = runtime.environment.handle === 'prod'
    const daily = 0.65 + 0.35 * Math.sin((2 * Math.PI * (atS - 6 * 3_600)) / DAY_S)
    const busy = daily * (0.82 + 0.36 * chance(runtime.id, resource.name, beginS)) * (isProd ? 1 : 0.07)
    const isBurst = this.inBurst(source, atS)
    const count = Math.round(resource.perS * lengthS * busy)
    const failing = isBurst ? BURST.failing : resource.failing
    const failed = Math.min(
      count,
      Math.floor(
        count * failing * (0.6 + 0.8 * chance(runtime.id, beginS)) + chance(beginS, resource.name, runtime.id) * 0.9,
      ),
    )
    const p50 = resource.p50 * (0.85 + 0.3 * chance(beginS, runtime.id)) * (isBurst ? BURST.slower : 1)
    return { count, failed, p50 }
  }

  /** A gauge of a process in a step. */
  process(source: Source, name: string, beginS: number, lengthS: number): number | null {
    const { runtime } = source
    const atS = beginS + lengthS / 2
    if (runtime.type !== 'PY' || !this.isKnown(source, atS)) return null
    const own = chance(runtime.id)
    const now = chance(runtime.id, name, beginS)
    if (name === 'process.cpu.utilization') return 0.04 + 0.14 * own + 0.06 * now
    if (name === 'process.memory.usage')
      return (92 + 70 * own + (((atS / 60 + own * 400) % 400) / 400) * 40) * 1_048_576
    if (name === 'pilothouse.event_loop.lag') return now > 0.96 ? 0.09 + 0.2 * own : 0.0008 + 0.004 * now
    return now > 0.9 ? 0.028 + 0.01 * own : 0.002 + 0.006 * now
  }
}

const at = (seconds: number) => new Date(seconds * 1_000).toISOString()

function timeOf({ filter, stepS }: Asked): Time {
  const { from, to } = filter?.scope ?? {}
  const toS = Math.ceil((to ? Date.parse(to) : Date.now()) / 60_000) * MINUTE_S
  const fromS = from ? Math.floor(Date.parse(from) / 60_000) * MINUTE_S : toS - 3_600
  return { fromS, toS, stepS: stepS ?? Math.max(MINUTE_S, Math.ceil((toS - fromS) / 24 / MINUTE_S) * MINUTE_S) }
}

function sourcesOf({ runtimes, people }: Db, { filter, name }: Asked): Source[] {
  const { scope, services, resources, outbound } = filter ?? {}
  const isProcess = PROCESS_NAMES.includes(name ?? '')
  const seen = runtimes.filter(
    ({ project, integration, environment, runtimeId }) =>
      (!scope?.project || project.handle === scope.project) &&
      (!scope?.integrations?.length || scope.integrations.includes(integration.handle)) &&
      (!scope?.environments?.length || scope.environments.includes(environment.handle)) &&
      (!scope?.runtimeIds?.length || scope.runtimeIds.includes(runtimeId)) &&
      people.holds('OBSERVABILITY_MGT_VIEW_INSIGHTS', {
        project: project.handle,
        integration: integration.handle,
        environment: environment.handle,
      }),
  )
  if (isProcess) return seen.map((runtime) => ({ runtime, resource: null }))
  return seen.flatMap((runtime) =>
    ((outbound ? CALLED : ANSWERED)[runtime.integration.handle] ?? [])
      .filter(() => !services?.length || services.includes(runtime.integration.handle))
      .filter((resource) => !resources?.length || resources.includes(resource.name))
      .map((resource) => ({ runtime, resource })),
  )
}

function keyOf({ runtime, resource }: Source, dimension: api.MetricDimension): string | null {
  if (dimension === 'PROJECT') return runtime.project.handle
  if (dimension === 'INTEGRATION') return `${runtime.project.handle}/${runtime.integration.handle}`
  if (dimension === 'ENVIRONMENT') return runtime.environment.handle
  if (dimension === 'RUNTIME') return runtime.runtimeId
  if (dimension === 'SERVICE') return runtime.integration.handle
  return dimension === 'RESOURCE' ? (resource?.name ?? null) : null
}

function figuresOf(parts: Part[], lengthS: number, shares: readonly number[]) {
  const spread = new Spread()
  for (const part of parts) spread.add(part)
  const [mean = null, max = null, ...values] = spread.percentiles([0.6, 1, ...shares])
  return {
    count: spread.count,
    rate: spread.count / lengthS,
    mean,
    min: null,
    max,
    percentiles: shares.map((of, number) => ({ of, value: values[number] ?? null })),
  }
}

function stepOf(cells: Cell[], beginS: number, lengthS: number, shares: readonly number[]) {
  if (cells.length === 0) return { at: at(beginS), all: null, succeeded: null, failed: null, errorRate: null }
  const good = cells.map(({ count, failed, p50 }) => ({ count: count - failed, p50 }))
  const bad = cells.map(({ failed, p50 }) => ({ count: failed, p50: p50 * 1.7 }))
  const all = figuresOf([...good, ...bad], lengthS, shares)
  const failed = figuresOf(bad, lengthS, shares)
  return {
    at: at(beginS),
    all,
    succeeded: figuresOf(good, lengthS, shares),
    failed,
    errorRate: all.count > 0 ? failed.count / all.count : null,
  }
}

/** A step of gauges: their mean and their most. */
function gaugeStep(values: number[], beginS: number) {
  const most = values.length > 0 ? Math.max(...values) : null
  const mean = values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null
  const all = most === null ? null : { count: values.length, rate: 0, mean, min: null, max: most, percentiles: [] }
  return { at: at(beginS), all, succeeded: all, failed: null, errorRate: all && 0 }
}

export function metricsRoot(db: Db) {
  const made = new Figures()
  const metrics = (asked: Asked) => {
    const { fromS, toS, stepS } = timeOf(asked)
    const shares = asked.percentiles ?? [0.5, 0.9, 0.95, 0.99]
    const name =
      asked.name ?? (asked.filter?.outbound ? 'http.client.request.duration' : 'http.server.request.duration')
    const isProcess = PROCESS_NAMES.includes(name)
    const first = Math.floor(fromS / stepS) * stepS
    const begins = Array.from({ length: Math.ceil((toS - first) / stepS) }, (_, number) => first + number * stepS)
    const by = asked.by ?? []
    const groups = new Map<string, Source[]>()
    for (const source of sourcesOf(db, asked)) {
      const key = JSON.stringify(by.map((dimension) => keyOf(source, dimension)))
      groups.set(key, [...(groups.get(key) ?? []), source])
    }
    const lengthOf = (beginS: number) => Math.min(beginS + stepS, toS) - Math.max(beginS, fromS)
    const series = [...groups].flatMap(([key, sources]) => {
      const { runtime } = sources[0] ?? {}
      const told = (beginS: number) => sources.flatMap((source) => made.traffic(source, beginS, lengthOf(beginS)) ?? [])
      const gauges = (beginS: number) =>
        sources.flatMap((source) => made.process(source, name, beginS, lengthOf(beginS)) ?? [])
      const total = isProcess
        ? gaugeStep(begins.flatMap(gauges), fromS)
        : stepOf(begins.flatMap(told), fromS, toS - fromS, shares)
      if (total.all === null) return []
      return {
        key: JSON.parse(key) as (string | null)[],
        project: by.includes('PROJECT') || by.includes('INTEGRATION') ? runtime?.project : null,
        integration: by.includes('INTEGRATION') ? runtime?.integration : null,
        environment: by.includes('ENVIRONMENT') ? runtime?.environment : null,
        runtime: by.includes('RUNTIME') ? runtime : null,
        total,
        steps: asked.stepS
          ? begins.map((beginS) =>
              isProcess ? gaugeStep(gauges(beginS), beginS) : stepOf(told(beginS), beginS, lengthOf(beginS), shares),
            )
          : [],
      }
    })
    return {
      name,
      stepS: asked.stepS ?? null,
      from: at(fromS),
      to: at(toS),
      series: series.toSorted((a, b) => (b.total.all?.count ?? 0) - (a.total.all?.count ?? 0)),
      left: 0,
    }
  }
  return {
    metrics,
    metricNames: () => ['http.client.request.duration', 'http.server.request.duration', ...PROCESS_NAMES],
    telemetry: () => ({
      store: 'embedded',
      degraded: db.storeTrouble,
      bytesOnDisk: 412_000_000,
      budgetBytes: 10_737_418_240,
      accepted: 18_204_331,
      refused: 0,
      parts: [],
      drops: [],
    }),
  }
}
