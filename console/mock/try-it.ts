import { HttpResponse, http } from 'msw'
import type * as api from '../src/api/generated/schema'
import type { Answer, Tried } from '../src/api/try-it'
import { API } from '../src/util/paths'
import type { Session } from './auth'
import type { Db, RuntimeRecord } from './db'
import { verdict } from './db'
import { refuse } from './refuse'

const order = {
  type: 'object',
  required: ['customer', 'items'],
  properties: {
    id: { type: 'integer', readOnly: true },
    customer: { type: 'string', format: 'uuid' },
    express: { type: 'boolean' },
    items: { type: 'array', items: { $ref: '#/components/schemas/Item' } },
  },
}
const item = {
  type: 'object',
  properties: { sku: { type: 'string', example: 'A-100' }, count: { type: 'integer', minimum: 1 } },
}
const json = (schema: object) => ({ 'application/json': { schema } })
const ORDER = { $ref: '#/components/schemas/Order' }
const ID = { name: 'id', in: 'path', required: true, schema: { type: 'integer' }, example: 4711 }

const definitionOf = (title: string) => ({
  openapi: '3.1.0',
  info: { title, version: '1.0' },
  paths: {
    '/orders': {
      get: {
        summary: 'List orders',
        parameters: [
          { name: 'limit', in: 'query', schema: { type: 'integer' }, description: 'How many at most.' },
          { name: 'state', in: 'query', schema: { type: 'array', items: { enum: ['open', 'sent'] } } },
        ],
        responses: { 200: { description: 'The orders.', content: json({ type: 'array', items: ORDER }) } },
      },
      post: {
        summary: 'Place an order',
        description: 'Places an order and tells its number.',
        parameters: [{ name: 'Idempotency-Key', in: 'header', schema: { type: 'string', format: 'uuid' } }],
        requestBody: { required: true, content: json(ORDER) },
        responses: {
          201: { description: 'Placed.', content: json(ORDER) },
          422: { description: 'Not an order.' },
        },
      },
    },
    '/orders/{id}': {
      get: {
        summary: 'Show an order',
        parameters: [ID],
        responses: { 200: { description: 'It.', content: json(ORDER) } },
      },
      delete: { summary: 'Cancel an order', parameters: [ID], responses: { 204: { description: 'Cancelled.' } } },
    },
    '/orders/export': { get: { summary: 'All orders as a file', deprecated: true, responses: {} } },
    '/slow': { get: { summary: 'Takes its time', responses: {} } },
  },
  components: { schemas: { Order: order, Item: item } },
})

/** What the mock's control plane knows of trying out services. */
export class Trying {
  private readonly said = new Map<string, boolean>()

  isAllowed({ handle, critical }: { handle: string; critical: boolean }): boolean {
    return this.said.get(handle) ?? !critical
  }

  say(handle: string, allowed: boolean): void {
    this.said.set(handle, allowed)
  }
}

type Refusal = { status: number; code: string; message: string; fix: string; field?: string }

function placeOf({ project, integration, environment }: RuntimeRecord) {
  return { project: project.handle, integration: integration.handle, environment: environment.handle }
}

function refusalOf(db: Db, record: RuntimeRecord): Refusal | undefined {
  if (!db.people.holds('INTEGRATION_MGT_TRY', placeOf(record)))
    return {
      status: 403,
      code: 'NOT_PERMITTED',
      message: 'This needs the permission integration_mgt:try, which you do not hold here.',
      fix: 'Ask an administrator for a role that grants it.',
    }
  if (!db.trying.isAllowed(record.environment))
    return {
      status: 403,
      code: 'TRY_IT_OFF',
      message: `No service is tried out in the environment \`${record.environment.handle}\`: it is critical, and nobody allowed it there.`,
      fix: 'Who may manage the environment can allow it on the page Environments.',
    }
  if (verdict(record).status !== 'RUNNING')
    return {
      status: 409,
      code: 'TRY_IT_NOT_RUNNING',
      message: `The runtime ${record.name} does not run.`,
      fix: 'Choose one that runs, or start it.',
    }
  return undefined
}

export function tryItOf(db: Db, record: RuntimeRecord): api.TryIt {
  const refusal = refusalOf(db, record)
  const doors = record.listeners
    .filter(({ protocol, port }) => protocol === 'HTTP' && port !== null)
    .map(({ name, port, state }) => ({ listener: name, scheme: 'http', port: port ?? 0, open: state === 'ENABLED' }))
  const noDoors = {
    code: 'TRY_IT_NO_SUCH_PORT',
    message: 'The runtime reports no HTTP listener.',
    fix: 'Look at its listeners.',
  }
  return {
    blocked: refusal
      ? { code: refusal.code, message: refusal.message, fix: refusal.fix }
      : doors.length
        ? null
        : noDoors,
    host: null,
    doors,
    definitions: doors.length
      ? [{ fileName: 'orders_openapi.json', definition: JSON.stringify(definitionOf(record.integration.displayName)) }]
      : [],
  }
}

export function tryItRoot(db: Db) {
  return {
    setTryIt: ({ environment, allowed }: { environment: string; allowed: boolean }) => {
      const found = db.environments.find((each) => each.handle === environment)
      if (!found) refuse('NOT_FOUND', 'There is no such environment.')
      const needed = found.critical ? 'ENVIRONMENT_MGT_MANAGE' : 'ENVIRONMENT_MGT_MANAGE_NONPROD'
      if (!db.people.holds(needed, { environment })) refuse('NOT_PERMITTED', 'You may not manage it.')
      db.trying.say(environment, allowed)
      return { ...found, tryIt: allowed }
    },
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export function tryItHandlers(db: Db, session: Session) {
  const problem = ({ status, ...rest }: Refusal) => HttpResponse.json(rest, { status })
  return [
    http.post(API.tryIt, async ({ request }) => {
      db.people.viewer = session.get()
      const tried = (await request.json()) as Tried
      const record = db.runtimes.find((each) => each.id === tried.runtime)
      if (!record)
        return problem({
          status: 404,
          code: 'NOT_FOUND',
          message: 'There is no such runtime.',
          fix: 'Look at the list of runtimes.',
        })
      const refusal = refusalOf(db, record)
      if (refusal) return problem(refusal)
      if (tried.port === 8_091)
        return problem({
          status: 502,
          code: 'TRY_IT_UNREACHABLE',
          message: `Nobody answers at ${record.address}, port ${tried.port}: connection refused.`,
          fix: 'Check that the listener is bound to an address that the control plane can reach, and that no firewall is between.',
        })
      if (tried.path.startsWith('/slow')) await pause(10_000)
      return HttpResponse.json(answered(tried, record))
    }),
  ]
}

function answered(tried: Tried, record: RuntimeRecord): Answer {
  const { status, reason, body } = served(tried)
  return {
    status,
    reason,
    headers: [
      { name: 'Content-Type', value: 'application/json' },
      { name: 'Content-Length', value: String(body.length) },
      { name: 'X-Served-By', value: record.name ?? record.runtimeId },
    ],
    body,
    bodyIsBase64: false,
    sizeBytes: body.length,
    cut: null,
    firstByteMs: 11.8,
    wholeMs: 14.2,
    address: `${record.address}:${tried.port}`,
    traceId: null,
  }
}

function served({ method, path, body }: Tried): { status: number; reason: string; body: string } {
  const id = /^\/orders\/(\d+)$/.exec(path)?.[1]
  if (path.startsWith('/orders') && method === 'POST')
    return { status: 201, reason: 'Created', body: JSON.stringify({ id: 4712, ...JSON.parse(body ?? '{}') }) }
  if (id && method === 'DELETE') return { status: 204, reason: 'No Content', body: '' }
  if (id) return { status: 200, reason: 'OK', body: JSON.stringify({ id: Number(id), customer: 'ann', items: [] }) }
  if (/^\/orders(\?|$)/.test(path))
    return { status: 200, reason: 'OK', body: JSON.stringify([{ id: 4711, items: [] }]) }
  return { status: 404, reason: 'Not Found', body: JSON.stringify({ detail: 'Not Found' }) }
}
