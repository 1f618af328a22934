import type * as api from '../src/api/generated/schema'
import { artifactsOf } from './artifacts'
import {
  type Db,
  type EnvironmentRecord,
  HEARTBEAT_S,
  type IntegrationRecord,
  iso,
  OFFLINE_AFTER_S,
  type ProjectRecord,
  type RuntimeRecord,
  type SecretRecord,
} from './db'

const DAY = 86_400

export function seedEnvironments(): EnvironmentRecord[] {
  return [
    { handle: 'dev', displayName: 'Development', critical: false, createdAt: iso(-90 * DAY) },
    { handle: 'prod', displayName: 'Production', critical: true, createdAt: iso(-90 * DAY) },
    { handle: 'staging', displayName: 'Staging', critical: false, createdAt: iso(-12 * DAY) },
  ]
}

const TREE: [string, string, [string, string, api.RuntimeType][]][] = [
  [
    'order-service',
    'Order Service',
    [
      ['order-create', 'Order Create', 'PY'],
      ['order-status', 'Order Status', 'PY'],
      ['order-export', 'Order Export', 'BI'],
    ],
  ],
  [
    'billing',
    'Billing',
    [
      ['invoice-sync', 'Invoice Sync', 'PY'],
      ['payment-gateway', 'Payment Gateway', 'BI'],
      ['dunning', 'Dunning', 'PY'],
    ],
  ],
  [
    'warehouse',
    'Warehouse',
    [
      ['stock-level', 'Stock Level', 'PY'],
      ['edi-inbound', 'EDI Inbound', 'MI'],
    ],
  ],
  ['customer-360', 'Customer 360', [['crm-bridge', 'CRM Bridge', 'PY']]],
  ['sandbox', 'Sandbox', []],
]

export function seedProjects(): { projects: ProjectRecord[]; integrations: IntegrationRecord[] } {
  const projects: ProjectRecord[] = []
  const integrations: IntegrationRecord[] = []
  TREE.forEach(([project, displayName, members], index) => {
    const createdAt = iso(-(80 - index * 11) * DAY)
    projects.push({ handle: project, displayName, description: '', createdAt, createdBy: 'admin' })
    for (const [handle, name, runtimeType] of members) {
      integrations.push({
        handle,
        displayName: name,
        description: '',
        project,
        runtimeType,
        createdAt,
        createdBy: 'admin',
      })
    }
  })
  return { projects, integrations }
}

/** How many copies each integration has in dev and prod, and which of them are not well. */
const FLEET: [string, number, number][] = [
  ['order-create', 2, 6],
  ['order-status', 1, 4],
  ['order-export', 1, 2],
  ['invoice-sync', 2, 4],
  ['payment-gateway', 1, 3],
  ['dunning', 1, 1],
  ['stock-level', 1, 8],
  ['edi-inbound', 1, 2],
  ['crm-bridge', 1, 2],
]
const SILENT = new Set(['order-status-prod-3', 'dunning-dev-1', 'edi-inbound-prod-2'])
const UNHEARD = new Set(['crm-bridge-prod-1'])

export function seedRuntimes(db: Db): RuntimeRecord[] {
  const runtimes: RuntimeRecord[] = []
  for (const [handle, dev, prod] of FLEET) {
    const integration = db.integrations.find((each) => each.handle === handle)
    if (!integration) continue
    for (let copy = 1; copy <= dev; copy++)
      runtimes.push(makeRuntime(db, integration, 'dev', `${handle}-dev-${copy}`, copy))
    for (let copy = 1; copy <= prod; copy++)
      runtimes.push(makeRuntime(db, integration, 'prod', `${handle}-prod-${copy}`, copy))
  }
  return runtimes
}

export function makeRuntime(
  db: Db,
  integration: IntegrationRecord,
  environment: string,
  name: string,
  copy: number,
): RuntimeRecord {
  const place = db.environments.find((each) => each.handle === environment)
  const project = db.projects.find((each) => each.handle === integration.project)
  if (!place || !project) throw new Error('The seed names what it does not have.')
  const silent = SILENT.has(name)
  const unheard = UNHEARD.has(name)
  const age = 3_600 * (copy * 7 + name.length)
  return {
    id: `rt-${name}`,
    runtimeId: `${hex(name, 8)}-${hex(name, 4)}-4${hex(name, 3)}-a${hex(name, 3)}-${hex(name, 12)}`,
    name: name === 'order-status-prod-4' ? null : name,
    type: integration.runtimeType,
    cameAt: iso(-age),
    silent,
    unheard,
    lastHeartbeatAt: silent ? iso(-copy * 4_800 - 700) : iso(-47),
    heartbeatIntervalSeconds: HEARTBEAT_S,
    offlineAfterSeconds: OFFLINE_AFTER_S,
    address: `10.0.${environment === 'prod' ? 3 : 7}.${copy + 6}`,
    version: integration.runtimeType === 'PY' ? '0.1.0' : integration.runtimeType === 'BI' ? '2201.13.1' : '4.4.0',
    environment: place,
    project: { handle: project.handle, displayName: project.displayName },
    integration: { handle: integration.handle, displayName: integration.displayName },
    registeredAt: iso(-age - DAY),
    secretKeyId: `k${hex(integration.handle + environment, 7)}`,
    warnings: name === 'stock-level-prod-2' ? [DUPLICATE] : [],
    node: nodeOf(integration.runtimeType, environment, copy, age),
    automation:
      integration.handle === 'order-export'
        ? { organization: 'acme', package: 'order_export', version: '1.2.0' }
        : null,
    ...artifactsOf(integration, name),
    ...abilitiesOf(integration.runtimeType, name, silent || unheard, age),
  }
}

/** What a runtime can be told, how it takes it, and whether it holds a channel. */
function abilitiesOf(type: api.RuntimeType, name: string, silent: boolean, age: number) {
  const python = type === 'PY'
  const alone = name === 'order-create-prod-3'
  return {
    temper: TEMPERS[name] ?? ('willing' as const),
    channel: python ? { connected: !silent && !alone, since: silent || alone ? iso(-700) : iso(-age) } : null,
    capabilities: python ? (alone ? PYTHON.filter((each) => each !== 'RESTART') : [...PYTHON, 'channel']) : [],
    restartable: python && !silent && !alone,
  }
}

const PYTHON = ['START', 'STOP', 'SET_LOGGER_LEVEL', 'RESET_LOGGER_LEVEL', 'LIST_LOGGERS', 'TRIGGER', 'RESTART']

/** Those that do not simply do what they are told: `fails` does at first, `mute` never answers. */
const TEMPERS: Record<string, RuntimeRecord['temper']> = {
  'invoice-sync-dev-2': 'fails',
  'order-status-prod-2': 'mute',
}

const DUPLICATE: api.RuntimeWarning = {
  code: 'DUPLICATE_NAME',
  message: 'Another runtime of this integration reports the same name.',
  fix: 'Give each copy its own `runtime` in Config.toml.',
}

function nodeOf(type: api.RuntimeType, environment: string, copy: number, age: number): api.Node {
  const python = type === 'PY'
  return {
    hostname: `${environment}-node-0${(copy % 4) + 1}`,
    processId: 2_000 + copy * 37,
    platformName: python ? 'CPython' : type === 'BI' ? 'ballerina' : 'WSO2 Micro Integrator',
    platformVersion: python ? '3.12.7' : type === 'BI' ? '2201.13.1' : '4.4.0',
    platformHome: python ? '/usr/lib/python3.12' : '/opt/runtime',
    osName: 'Linux',
    osVersion: '6.8.0-45',
    osArch: 'x86_64',
    startedAt: iso(-age - 2),
  }
}

export const unending = { expiresAt: null, revokedFrom: null, revokedBy: null, rotates: null, rotatedBy: null }

/** One secret for each integration and environment that has runtimes, and two that wait for their first use. */
export function secretsOf(db: Db): SecretRecord[] {
  const bound = new Map<string, SecretRecord>()
  for (const runtime of db.runtimes) {
    const keyId = runtime.secretKeyId ?? ''
    if (bound.has(keyId)) continue
    const { environment, project, integration, registeredAt: createdAt } = runtime
    const lastUsedAt = runtime.silent ? runtime.lastHeartbeatAt : iso(-40)
    bound.set(keyId, {
      keyId,
      environment,
      project,
      integration,
      bound: true,
      createdAt,
      createdBy: 'admin',
      boundAt: createdAt,
      lastUsedAt,
      ...unending,
    })
  }
  const waiting = db.environments.slice(0, 2).map((environment, index) => ({
    keyId: index === 0 ? 'kp3v8n1t' : 'kz6r4w0q',
    environment,
    project: null,
    integration: null,
    bound: false,
    createdAt: iso(-3_600 * (index * 30 + 2)),
    createdBy: 'admin',
    boundAt: null,
    lastUsedAt: null,
    ...unending,
    expiresAt: index === 1 ? iso(3 * DAY) : null,
  }))
  return [...waiting, ...bound.values()]
}

/** Digits that look random and are the same each time. */
function hex(text: string, length: number): string {
  let seed = [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, length)
  let digits = ''
  while (digits.length < length) {
    seed = (seed * 1_664_525 + 1_013_904_223) >>> 0
    digits += seed.toString(16).padStart(8, '0').slice(1, 7)
  }
  return digits.slice(0, length)
}
