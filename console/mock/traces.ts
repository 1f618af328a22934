import type * as api from '../src/api/generated/schema'
import { connection, type Db, type PageArguments, verdict } from './db'

const MINUTE_MS = 60_000
const at = (ms: number) => new Date(ms).toISOString()
const hex = (value: number, digits: number) =>
  (value * 2_654_435_761 + 1).toString(16).padStart(digits, '0').slice(0, digits)

/** A span of a recipe: when it begins and how long it takes are shares of its parent's time. */
type Step = {
  name: string
  kind: api.SpanKind
  /** Handle of the integration that sends it; its parent's unless told. */
  by?: string
  from: number
  share: number
  failed?: boolean
  attributes?: Record<string, string>
  below?: Step[]
}

const database = (name: string, from: number, share: number): Step => ({
  name,
  kind: 'CLIENT',
  from,
  share,
  attributes: { 'db.system.name': 'postgresql', 'server.address': 'db.internal', 'db.query.text': name },
})

const CARD_EXPIRED = {
  'exception.type': 'CardExpired',
  'exception.message': 'The card of order 4713 has expired.',
  'exception.stacktrace':
    'Traceback (most recent call last):\n  File "intake.py", line 88, in charge\n    gateway.charge(order)\nCardExpired: The card of order 4713 has expired.',
}

function order(failing: boolean): Step {
  return {
    name: 'POST /orders',
    kind: 'SERVER',
    by: 'order-create',
    from: 0,
    share: 1,
    failed: failing,
    attributes: { 'http.request.method': 'POST', 'http.route': '/orders', 'order.id': failing ? '4713' : '4711' },
    below: [
      { name: 'validate', kind: 'INTERNAL', from: 0.01, share: 0.06 },
      {
        name: 'GET /stock/{article}',
        kind: 'CLIENT',
        from: 0.08,
        share: 0.3,
        attributes: { 'server.address': 'stock-level.internal' },
        below: [
          {
            name: 'GET /stock/{article}',
            kind: 'SERVER',
            by: 'stock-level',
            // Its machine's clock is behind: it seems to begin before it was asked.
            from: -0.15,
            share: 0.8,
            attributes: { 'http.route': '/stock/{article}' },
            below: [database('SELECT quantity FROM stock', 0.2, 0.5)],
          },
        ],
      },
      {
        name: 'POST /charges',
        kind: 'CLIENT',
        from: 0.4,
        share: 0.45,
        failed: failing,
        attributes: { 'server.address': 'payment-gateway.internal' },
        below: [
          {
            name: 'POST /charges',
            kind: 'SERVER',
            by: 'payment-gateway',
            from: 0.05,
            share: 0.9,
            failed: failing,
            attributes: { 'http.route': '/charges' },
            below: [
              {
                name: 'charge card',
                kind: 'INTERNAL',
                from: 0.2,
                share: 0.6,
                failed: failing,
                attributes: failing ? CARD_EXPIRED : {},
              },
            ],
          },
        ],
      },
      database('INSERT INTO orders', 0.88, 0.08),
    ],
  }
}

const invoices: Step = {
  name: 'sync invoices',
  kind: 'INTERNAL',
  by: 'invoice-sync',
  from: 0,
  share: 1,
  attributes: { 'schedule.name': 'invoice-sync' },
  below: [
    database('SELECT * FROM invoices', 0.05, 0.2),
    {
      name: 'PUT /accounts/{id}',
      kind: 'CLIENT',
      from: 0.3,
      share: 0.6,
      attributes: { 'server.address': 'crm-bridge.internal' },
      below: [{ name: 'PUT /accounts/{id}', kind: 'SERVER', by: 'crm-bridge', from: 0.1, share: 0.8 }],
    },
  ],
}

type Made = Omit<api.Trace, 'spans'> & { spans: api.Span[] }
/** A trace with more rows than a screen draws: an import of many lines. */
export const LONG_TRACE = 'feedfacefeedfacefeedfacefeedface'
/** One whose beginning lies where nobody sent anything from, and that had to be cut. */
export const TORN_TRACE = 'cafe0000cafe0000cafe0000cafe0000'

/** The traces of the demo: half an hour of requests, each made from a recipe. */
export class Traces {
  readonly traces: Made[]
  private made = 0
  private readonly db: Db

  constructor(db: Db) {
    this.db = db
    const now = Date.now()
    const orders = Array.from({ length: 36 }, (_, turn) =>
      this.make(order(turn % 6 === 5), now - MINUTE_MS - turn * 47_000, 90 + ((turn * 37) % 11) * 42),
    )
    // The lines that the logs tell of an expired card carry their trace.
    const told = db.telemetry.lines.filter(({ traceId }) => traceId).slice(0, 8)
    const ofLines = told.map(({ traceId, at: said }) =>
      this.make(order(true), Date.parse(said) - 200, 340, traceId ?? undefined),
    )
    const synced = Array.from({ length: 6 }, (_, turn) =>
      this.make(invoices, now - 2 * MINUTE_MS - turn * 5 * MINUTE_MS, 2_400 + turn * 310),
    )
    this.traces = [...orders, ...ofLines, ...synced, this.long(now), this.torn(now)].sort((a, b) =>
      a.at < b.at ? 1 : -1,
    )
  }

  /** A trace by a recipe. Units: ms. */
  private make(recipe: Step, beginMs: number, durationMs: number, id = hex(900_000 + this.made, 32)): Made {
    const spans: api.Span[] = []
    const add = (step: Step, parent: api.Span | null, offset: number, length: number, by: string) => {
      const span = this.span(step, parent?.id ?? null, beginMs, offset, length, step.by ?? by)
      spans.push(span)
      for (const each of step.below ?? [])
        add(each, span, Math.max(0, offset + each.from * length), each.share * length, step.by ?? by)
    }
    add(recipe, null, 0, durationMs, recipe.by ?? '')
    return whole(id, spans)
  }

  private span(
    step: Step,
    parentId: string | null,
    beginMs: number,
    offset: number,
    length: number,
    by: string,
  ): api.Span {
    const runtime = this.db.runtimes.find(
      (each) => each.integration.handle === by && each.environment.handle === 'prod',
    )
    const known = runtime ?? this.db.runtimes.find((each) => each.integration.handle === by)
    return {
      id: hex(++this.made, 16),
      parentId,
      name: step.name,
      kind: step.kind,
      service: by || null,
      at: at(beginMs + offset),
      offsetMs: offset,
      durationMs: length,
      failed: step.failed ?? false,
      attributes: Object.entries({ ...step.attributes, ...answerOf(step) }).map(([key, value]) => ({ key, value })),
      origin: {
        unclaimed: !known,
        project: known?.project ?? null,
        integration: known?.integration ?? null,
        environment: known?.environment ?? null,
        runtimeId: known?.runtimeId ?? null,
        runtime: known ? { ...known, status: verdict(known).status } : null,
      },
    }
  }

  private long(now: number): Made {
    const lines = Array.from({ length: 1_200 }, (_, number): Step => {
      const failed = number === 1_100
      return {
        name: `import line ${number + 1}`,
        kind: 'INTERNAL',
        from: number / 1_200,
        share: 1 / 1_300,
        failed,
        attributes: { 'line.number': String(number + 1), ...(failed ? { 'exception.type': 'ValueError' } : {}) },
      }
    })
    const recipe: Step = {
      name: 'import stock file',
      kind: 'INTERNAL',
      by: 'stock-level',
      from: 0,
      share: 1,
      below: lines,
    }
    return this.make({ ...recipe, failed: true }, now - 12 * MINUTE_MS, 94_000, LONG_TRACE)
  }

  private torn(now: number): Made {
    const beginMs = now - 9 * MINUTE_MS
    const first = this.span(
      { name: 'GET /orders/{id}', kind: 'SERVER', from: 0, share: 1 },
      'aaaaaaaaaaaaaaaa',
      beginMs,
      0,
      31,
      'order-status',
    )
    const inner = this.span(database('SELECT * FROM orders', 0, 1), first.id, beginMs, 4, 21, 'order-status')
    const lone = this.span(
      { name: 'notify', kind: 'CONSUMER', from: 0, share: 1 },
      'bbbbbbbbbbbbbbbb',
      beginMs,
      60,
      12,
      'crm-bridge',
    )
    return { ...whole(TORN_TRACE, [first, inner, lone]), left: 17, spanCount: 20, complete: false }
  }
}

function whole(id: string, spans: api.Span[]): Made {
  const [root] = spans
  if (!root) throw new Error('A trace has a span.')
  const end = Math.max(...spans.map(({ offsetMs, durationMs }) => (offsetMs ?? 0) + durationMs))
  const parties = new Map<string, api.TraceParty>()
  for (const { service, origin, failed } of spans) {
    const party = parties.get(service ?? '') ?? { service, origin, spans: 0, failed: 0 }
    parties.set(service ?? '', { ...party, spans: party.spans + 1, failed: party.failed + Number(failed) })
  }
  return {
    id,
    at: root.at,
    durationMs: end,
    failed: spans.some(({ failed }) => failed),
    root,
    spanCount: spans.length,
    failedCount: spans.filter(({ failed }) => failed).length,
    parties: [...parties.values()],
    spans,
    left: 0,
    complete: true,
  }
}

function within({ origin, at: begun }: api.Span, scope: api.TelemetryScope | null | undefined): boolean {
  const { project, integration, environment, runtimeId } = origin
  return (
    (!scope?.project || project?.handle === scope.project) &&
    (!scope?.integrations?.length || scope.integrations.includes(integration?.handle ?? '')) &&
    (!scope?.environments?.length || scope.environments.includes(environment?.handle ?? '')) &&
    (!scope?.runtimeIds?.length || scope.runtimeIds.includes(runtimeId ?? '')) &&
    begun >= (scope?.from ?? at(Date.now() - 60 * MINUTE_MS)) &&
    (!scope?.to || begun < scope.to)
  )
}

const STATUS = 'http.response.status_code'

/** What is asked or answers over HTTP tells with what it was answered. */
function answerOf({ name, kind, failed }: Step): Record<string, string> {
  const overHttp = (kind === 'SERVER' || kind === 'CLIENT') && /^(GET|POST|PUT|DELETE) /.test(name)
  return overHttp ? { [STATUS]: failed ? '500' : '200' } : {}
}

/** With what the control plane says that a span was answered: a code, or one of its class. */
function isAnswered({ kind, attributes }: api.Span, { statuses, outbound }: api.TraceFilter): boolean {
  if (!statuses?.length) return true
  const told = attributes.find(({ key }) => key === STATUS)?.value ?? 'none'
  const isOf = (status: string) => status === told || status.toLowerCase() === `${told[0]}xx`
  return kind === (outbound ? 'CLIENT' : 'SERVER') && statuses.some(isOf)
}

export function wantsSpan(span: api.Span, filter: api.TraceFilter | null | undefined): boolean {
  const { scope, services, name, failed, durationMs } = filter ?? {}
  return (
    within(span, scope) &&
    (!services?.length || services.includes(span.service ?? '')) &&
    (!name || span.name.includes(name)) &&
    (typeof failed !== 'boolean' || span.failed === failed) &&
    span.durationMs >= (durationMs ?? 0) &&
    isAnswered(span, filter ?? {})
  )
}

export function tracesRoot({ traces, people }: Db) {
  const visible = ({ origin }: api.Span) =>
    people.holds('OBSERVABILITY_MGT_VIEW_INSIGHTS', {
      project: origin.project?.handle ?? '',
      integration: origin.integration?.handle ?? '',
      environment: origin.environment?.handle ?? '',
    })
  const seen = (): Made[] =>
    traces.traces.flatMap((trace) => {
      const spans = trace.spans.filter(visible)
      if (spans.length === trace.spans.length) return [trace]
      return spans.length > 0 ? [{ ...whole(trace.id, spans), complete: false }] : []
    })
  return {
    traces: ({ filter, ...page }: PageArguments & { filter?: api.TraceFilter | null }) => {
      const found = seen().flatMap((trace) => {
        const span = trace.spans.toReversed().find((each) => wantsSpan(each, filter))
        return span ? [{ traceId: trace.id, span: { ...span, offsetMs: null }, trace }] : []
      })
      const { nodes, pageInfo } = connection(found, page)
      return { nodes, pageInfo }
    },
    trace: ({ id }: { id: string }) => seen().find((each) => each.id === id.toLowerCase()) ?? null,
    serviceMap: ({ scope }: { scope?: api.TelemetryScope | null }) => mapOf(seen(), scope),
  }
}

type Sum = { calls: number; failed: number; durations: number[] }

function mapOf(traces: Made[], scope: api.TelemetryScope | null | undefined): api.ServiceMap {
  const nodes = new Map<string, api.ServiceNode>()
  const edges = new Map<string, Sum>()
  let spansRead = 0
  const node = (name: string, of: api.Span | null) => {
    const known = nodes.get(name) ?? {
      id: hex([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 1e6, 16),
      name,
      integration: of?.origin.integration ?? null,
      project: of?.origin.project ?? null,
      requests: 0,
      failed: 0,
    }
    nodes.set(name, known)
    return known
  }
  for (const { spans } of traces) {
    for (const span of spans) {
      if (span.kind === 'INTERNAL' || !within(span, scope)) continue
      spansRead++
      const told = (key: string) => span.attributes.find((each) => each.key === key)?.value
      const system = told('db.system.name')
      const answers = span.kind === 'SERVER' || span.kind === 'CONSUMER'
      const called = answers
        ? node(span.service ?? '', span)
        : system
          ? node(`${system} ${told('server.address')}`, null)
          : null
      const parent = answers ? spans.find(({ id }) => id === span.parentId) : span
      if (!called) continue
      called.requests++
      called.failed += Number(span.failed)
      if (!parent) continue
      const key = `${node(parent.service ?? '', parent).id} ${called.id}`
      const sum = edges.get(key) ?? { calls: 0, failed: 0, durations: [] }
      edges.set(key, {
        calls: sum.calls + 1,
        failed: sum.failed + Number(parent.failed),
        durations: [...sum.durations, parent.durationMs].sort((a, b) => a - b),
      })
    }
  }
  return {
    nodes: [...nodes.values()].sort((a, b) => b.requests - a.requests),
    edges: [...edges].map(([key, { calls, failed, durations }]) => {
      const [from = '', to = ''] = key.split(' ')
      return { from, to, calls, failed, p95Ms: durations[Math.ceil(durations.length * 0.95) - 1] ?? null }
    }),
    spansRead,
    complete: true,
  }
}
