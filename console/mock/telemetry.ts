import type * as api from '../src/api/generated/schema'
import { connection, type Db, type PageArguments, verdict } from './db'
import { wantsSpan } from './traces'

const SEVERITIES: api.Severity[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']
const HOUR_MS = 3_600_000
/** Seconds between two lines of one runtime in the hour before the demo began. */
const EVERY_S = 45
/** What programs say, in turn. */
const SAID: [api.Severity, string, Record<string, string>][] = [
  ['INFO', 'Order 4711 accepted', { 'order.id': '4711', 'http.route': '/orders' }],
  ['DEBUG', 'Stock of 3 articles read in 12 ms', { 'db.system': 'postgresql' }],
  ['INFO', 'Order 4712 accepted', { 'order.id': '4712', 'http.route': '/orders' }],
  ['WARN', 'The warehouse answered slowly: 2.4 s', { 'server.address': 'warehouse.internal' }],
  ['INFO', 'Invoice 88120 sent', { 'invoice.id': '88120' }],
  ['ERROR', 'Order 4713 refused: the card has expired', { 'order.id': '4713', 'exception.type': 'CardExpired' }],
]

const DEFAULT_SAID: (typeof SAID)[number] = ['INFO', 'Nothing to do', {}]

type Line = api.LogLine
const at = (ms: number) => new Date(ms).toISOString()
const hex = (value: number, digits: number) =>
  (value * 2_654_435_761 + 1).toString(16).padStart(digits, '0').slice(0, digits)

/** The lines of the demo: an hour of every running runtime, and what is said while it is looked at. */
export class Telemetry {
  readonly lines: Line[]
  private readonly listeners = new Set<(line: Line) => void>()
  private said = 0

  private readonly db: Db

  constructor(db: Db) {
    this.db = db
    const now = Date.now()
    const seeded = db.runtimes
      .slice(0, 40)
      .flatMap((runtime, number) =>
        Array.from({ length: 20 }, (_, turn) =>
          this.make(runtime, now - HOUR_MS / 2 + (turn * EVERY_S + number) * 1000),
        ),
      )
    this.lines = seeded.filter((line) => Date.parse(line.at) <= now).sort((a, b) => (a.at < b.at ? 1 : -1))
  }

  private make(runtime: Db['runtimes'][number], ms: number): Line {
    const number = this.said++
    const [level, message, attributes] = SAID[number % SAID.length] ?? DEFAULT_SAID
    const { project, integration, environment, runtimeId } = runtime
    return {
      id: String(number),
      at: at(ms),
      level,
      message,
      logger: 'orders.intake',
      traceId: level === 'ERROR' ? hex(number, 32) : null,
      spanId: null,
      attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
      origin: {
        unclaimed: false,
        project,
        integration,
        environment,
        runtimeId,
        runtime: { ...runtime, status: verdict(runtime).status },
      },
    }
  }

  /** Lets a runtime say something now. */
  say(message?: string, level: api.Severity = 'INFO'): Line | undefined {
    const runtime = this.db.runtimes[this.said % this.db.runtimes.length]
    if (!runtime) return undefined
    const line = this.make(runtime, Date.now())
    if (message) Object.assign(line, { message, level })
    this.lines.unshift(line)
    for (const listener of this.listeners) listener(line)
    return line
  }

  listen(listener: (line: Line) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}

export function wantsLine(line: Line, filter: api.LogFilter | null | undefined): boolean {
  const { scope, levels, phrase, token, traceId } = filter ?? {}
  const { project, integration, environment, runtimeId } = line.origin
  return (
    (!scope?.project || project?.handle === scope.project) &&
    (!scope?.integrations?.length || scope.integrations.includes(integration?.handle ?? '')) &&
    (!scope?.environments?.length || scope.environments.includes(environment?.handle ?? '')) &&
    (!scope?.runtimeIds?.length || scope.runtimeIds.includes(runtimeId ?? '')) &&
    (!scope?.from || line.at >= scope.from) &&
    (!scope?.to || line.at < scope.to) &&
    (!levels?.length || levels.includes(line.level)) &&
    (!phrase || line.message.toLowerCase().includes(phrase.toLowerCase())) &&
    (!token || line.message.split(/\W+/).includes(token)) &&
    (!traceId || line.traceId === traceId)
  )
}

type Asked = { filter?: api.LogFilter | null }

/** The traces of whose requests some lines are asked for; nothing where no status is asked for. */
function tracesOf(traces: Db['traces'], filter: Asked['filter']): Set<string> | undefined {
  const { statuses, outbound, scope } = filter ?? {}
  if (!statuses?.length) return undefined
  const wanted = { statuses, outbound: outbound ?? null, scope: { ...scope, from: at(0) } } as api.TraceFilter
  const answered = traces.traces.filter(({ spans }) => spans.some((span) => wantsSpan(span, wanted)))
  return new Set(answered.map(({ id }) => id))
}

export function telemetryRoot({ telemetry, traces, people }: Db) {
  const seen = (filter: Asked['filter'], answered = tracesOf(traces, filter)) =>
    telemetry.lines.filter(
      (line) =>
        (!answered || answered.has(line.traceId ?? '')) &&
        wantsLine(line, filter) &&
        people.holds('OBSERVABILITY_MGT_VIEW_LOGS', {
          project: line.origin.project?.handle ?? '',
          integration: line.origin.integration?.handle ?? '',
          environment: line.origin.environment?.handle ?? '',
        }),
    )
  return {
    logs: ({ filter, newestFirst, ...page }: PageArguments & Asked & { newestFirst?: boolean | null }) => {
      const lines = seen(filter)
      return {
        ...connection(newestFirst === false ? lines.toReversed() : lines, page),
        arrival: String(telemetry.lines[0]?.id ?? 0),
      }
    },
    logLevels: ({ filter }: Asked) => {
      const to = filter?.scope?.to ? Date.parse(filter.scope.to) : Date.now()
      const from = filter?.scope?.from ? Date.parse(filter.scope.from) : to - HOUR_MS
      const stepMs = Math.max(60_000, Math.ceil((to - from) / 60 / 60_000) * 60_000)
      const lines = seen(filter)
      const first = Math.floor(from / stepMs) * stepMs
      const steps = Array.from({ length: Math.ceil((to - first) / stepMs) }, (_, number) => {
        const begin = first + number * stepMs
        const within = lines.filter((line) => Math.floor(Date.parse(line.at) / stepMs) * stepMs === begin)
        return {
          at: at(begin),
          levels: SEVERITIES.map((level) => ({
            level,
            count: within.filter((each) => each.level === level).length,
          })).filter(({ count }) => count > 0),
        }
      })
      return { stepS: stepMs / 1000, from: at(from), to: at(to), steps }
    },
    logContext: ({ id, before, after }: { id: string; before?: number | null; after?: number | null }) => {
      const line = seen(null).find((each) => each.id === id)
      if (!line) return null
      const same = seen(null)
        .filter((each) => each.origin.runtimeId === line.origin.runtimeId)
        .toReversed()
      const place = same.indexOf(line)
      return {
        before: same.slice(Math.max(0, place - (before ?? 20)), place),
        line,
        after: same.slice(place + 1, place + 1 + (after ?? 20)),
      }
    },
  }
}
