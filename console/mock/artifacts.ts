import type * as api from '../src/api/generated/schema'
import type { IntegrationRecord, RuntimeRecord } from './db'

type Hosted = Pick<
  RuntimeRecord,
  'services' | 'listeners' | 'logLevels' | 'consumers' | 'schedules' | 'kinds' | 'logHandlers' | 'programLevels'
>

const RESOURCES: [string[], string][] = [
  [['GET'], '/'],
  [['POST'], '/'],
  [['GET'], '/{id}'],
  [['PATCH', 'PUT'], '/{id}'],
  [['DELETE'], '/{id}'],
  [['GET'], '/{id}/lines'],
  [['WEBSOCKET'], '/changes'],
]

/** What a runtime of an integration hosts, before any replica differs from the others. */
export function artifactsOf({ handle, runtimeType }: IntegrationRecord, name: string): Hosted {
  const hosted = runtimeType === 'MI' ? synapse(handle) : program(handle, runtimeType === 'PY')
  differ(hosted, name)
  return { ...hosted, programLevels: Object.fromEntries(hosted.logLevels.map((each) => [each.logger, each.level])) }
}

function program(handle: string, python: boolean): Omit<Hosted, 'programLevels'> {
  const module = handle.replace('-', '_')
  const topic = handle.split('-')[0] ?? handle
  const service = (name: string, basePath: string, count: number): api.Service => ({
    name,
    package: python ? `${module}.api` : `acme/${module}`,
    basePath,
    state: 'ENABLED',
    listeners: ['http'],
    resourceCount: count,
    resources: RESOURCES.slice(0, count).map(([methods, path], line) => ({
      methods,
      path,
      source: python ? `app/routes/${name.toLowerCase()}.py:${14 + line * 17}` : null,
    })),
  })
  const loggers = ['', '.api', '.store', '.worker', '.client'].map((part) => module + part)
  const listener = (name: string, port: number): api.Listener => ({
    name,
    package: python ? 'uvicorn' : 'ballerina/http',
    protocol: 'HTTP',
    host: '0.0.0.0',
    port,
    state: 'ENABLED',
    stateReason: null,
  })
  return {
    services: [service('Orders', '/orders', 7), service('Health', '/health', 1)],
    listeners: [listener('http', 8_080), ...(python ? [listener('admin', 8_091)] : [])],
    logLevels: [
      { logger: 'root', level: 'WARN' },
      ...loggers.map((logger, index) => ({ logger, level: index === 3 ? 'DEBUG' : 'INFO' })),
      { logger: 'uvicorn.access', level: 'INFO' },
      { logger: 'httpx', level: 'WARN' },
    ],
    consumers: python
      ? [
          {
            name: `${topic}.created`,
            package: 'faststream',
            protocol: 'kafka',
            source: `${topic}.created`,
            group: handle,
            handler: 'app/consumers.py:22',
            state: 'ENABLED',
            stateReason: null,
          },
        ]
      : [],
    schedules: python
      ? [
          {
            name: 'nightly-report',
            package: 'apscheduler',
            trigger: 'cron: 0 3 * * *',
            handler: 'app/jobs.py:9',
            state: 'ENABLED',
            stateReason: null,
          },
        ]
      : [],
    kinds: [],
    logHandlers: python ? [{ logger: 'root', handler: 'StreamHandler', level: 'WARN' }] : [],
  }
}

/** Replicas that are not as the others are, and artifacts that are not well. */
function differ(hosted: Omit<Hosted, 'programLevels'>, name: string): void {
  const [first] = hosted.listeners
  if (name === 'order-create-prod-2' && first) first.state = 'DISABLED'
  if (name === 'order-create-prod-4') hosted.consumers = []
  if (name === 'order-create-prod-5') set(hosted.logLevels, 'order_create.api', 'DEBUG')
  if (name.startsWith('order-status-prod') && !/[23]$/.test(name)) set(hosted.logLevels, 'order_status.client', 'DEBUG')
  const consumer = hosted.consumers[0]
  if (name === 'invoice-sync-dev-1' && consumer) {
    consumer.state = 'FAILED'
    consumer.stateReason = 'The broker at kafka-1:9092 does not answer; it tries again every 5 s.'
  }
  const admin = hosted.listeners[1]
  if (name === 'invoice-sync-dev-1' && admin) {
    admin.state = 'GATED'
    admin.stateReason = 'Its port is held by the parent process: requests are answered 503.'
  }
  const job = hosted.schedules[0]
  if (name === 'order-create-prod-1' && job) {
    job.state = 'DRAINING'
    job.stateReason = 'One run that began before is still going on.'
  }
}

function set(levels: api.LogLevel[], logger: string, level: string): void {
  const found = levels.find((each) => each.logger === logger)
  if (found) found.level = level
}

type Switches = { state?: api.ArtifactState; tracing?: api.ArtifactState; statistics?: api.ArtifactState }

/** A Micro Integrator's configuration; it reports no loggers with its heartbeats. */
function synapse(handle: string): Omit<Hosted, 'programLevels'> {
  const one = (kind: api.ArtifactKind, name: string, facts: [string, string][], switches: Switches = {}) => ({
    kind,
    name,
    package: '',
    state: switches.state ?? null,
    tracing: switches.tracing ?? null,
    statistics: switches.statistics ?? null,
    facts: facts.map(([fact, value]) => ({ name: fact, value })),
  })
  const traced: Switches = { tracing: 'DISABLED', statistics: 'DISABLED' }
  const all: Switches = { state: 'ENABLED', ...traced }
  const car: [string, string] = ['carbonApp', 'EdiCar']
  return {
    services: [],
    listeners: [],
    logLevels: [],
    consumers: [],
    schedules: [],
    logHandlers: [],
    kinds: [
      one(
        'API',
        'OrdersAPI',
        [['context', '/orders'], ['version', '1.2.0'], ['url', `http://${handle}:8290/orders`], car],
        traced,
      ),
      one('API', 'StatusAPI', [['context', '/status'], ['url', `http://${handle}:8290/status`], car], traced),
      one('CARBON_APP', 'EdiCar', [
        ['version', '1.2.0'],
        ['status', 'active'],
        ['artifacts', '[{"name":"OrdersAPI","type":"api"}]'],
      ]),
      one('CONNECTOR', 'file', [
        ['package', 'org.wso2.carbon.connector'],
        ['status', 'enabled'],
      ]),
      one('DATA_SOURCE', 'ORDERS_DB', [
        ['type', 'RDBMS'],
        ['url', 'jdbc:postgresql://db/orders'],
        ['hasUsername', 'true'],
      ]),
      one(
        'ENDPOINT',
        'StockEP',
        [['type', 'HTTPEndpoint'], ['attributes', '[{"name":"Method","value":"GET"}]'], car],
        all,
      ),
      one(
        'INBOUND_ENDPOINT',
        'EdiFiles',
        [
          ['protocol', 'file'],
          ['sequence', 'EdiIn'],
          [
            'parameters',
            '[{"name":"transport.vfs.FileURI","value":"file:///in/edi"},{"name":"interval","value":"1000"}]',
          ],
        ],
        all,
      ),
      one(
        'MESSAGE_PROCESSOR',
        'ForwardOrders',
        [
          ['type', 'ScheduledMessageForwardingProcessor'],
          ['messageStore', 'OrderStore'],
        ],
        { state: 'ENABLED' },
      ),
      one('MESSAGE_STORE', 'OrderStore', [
        ['type', 'InMemoryStore'],
        ['size', '4'],
      ]),
      one('PROXY_SERVICE', 'StockQuote', [['wsdl1_1', `http://${handle}:8290/services/StockQuote?wsdl`], car], all),
      one('SEQUENCE', 'EdiIn', [['type', 'Sequence'], car], traced),
      one(
        'TASK',
        'SweepInbox',
        [
          ['group', 'synapse.simple.quartz'],
          ['class', 'MessageInjector'],
        ],
        { state: 'ENABLED' },
      ),
      one('TEMPLATE', 'RetryTemplate', [['type', 'sequence']], { statistics: 'DISABLED' }),
    ],
  }
}
