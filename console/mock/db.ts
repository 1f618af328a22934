import type * as api from '../src/api/generated/schema'
import { Alerts } from './alerts'
import { eventOf, seedEvents } from './audit'
import { type CommandRecord, Desk } from './desk'
import { allArtifacts } from './observe'
import { People } from './people'
import { secretsOf, seedEnvironments, seedProjects, seedRuntimes } from './seed'
import { Telemetry } from './telemetry'
import { Traces } from './traces'
import { Trying, tryItOf } from './try-it'

/** What the mock stores of a runtime; status, its reason, changes and counts are computed when read, as the server does. */
export type RuntimeRecord = Omit<
  api.Runtime,
  | 'services'
  | 'listeners'
  | 'logLevels'
  | 'consumers'
  | 'schedules'
  | 'artifacts'
  | 'changes'
  | 'commands'
  | 'movedTo'
  | 'status'
  | 'statusReason'
  | 'statusSince'
  | 'permissions'
  | 'tryIt'
  | 'serviceCount'
  | 'listenerCount'
> & {
  services: api.Service[]
  listeners: api.Listener[]
  logLevels: api.LogLevel[]
  consumers: api.Consumer[]
  schedules: api.Schedule[]
  /** Artifacts of Micro Integrator's kinds. */
  kinds: api.Artifact[]
  /** The levels that the program itself set. */
  programLevels: Record<string, string>
  temper: 'willing' | 'fails' | 'mute'
  cameAt: string
  silent: boolean
  unheard: boolean
}
export type ProjectRecord = Pick<api.Project, 'handle' | 'displayName' | 'description' | 'createdAt' | 'createdBy'>
export type IntegrationRecord = ProjectRecord & { project: string; runtimeType: api.RuntimeType }
export type EnvironmentRecord = Pick<api.Environment, 'handle' | 'displayName' | 'critical' | 'createdAt'>
export type SecretRecord = Omit<api.Secret, 'runtimeCount' | 'runtimes' | 'state'>

export const HEARTBEAT_S = 10
export const OFFLINE_AFTER_S = 30

/** The whole state of the mock control plane; one of them lives as long as the page, or as one test. */
export class Db {
  readonly startedAt = iso(-6 * 3_600)
  readonly environments: EnvironmentRecord[] = seedEnvironments()
  readonly projects: ProjectRecord[]
  readonly integrations: IntegrationRecord[]
  readonly runtimes: RuntimeRecord[]
  secrets: SecretRecord[]
  readonly refusals: api.Refusal[]
  readonly desk: Desk
  readonly people = new People()
  /** Newest first. */
  readonly events: api.Event[]
  readonly telemetry: Telemetry
  readonly alerts = new Alerts()
  /** What people keep for themselves, by username. */
  readonly kept = new Map<string, api.Kept[]>()
  readonly trying = new Trying()
  readonly traces: Traces
  /** What the telemetry store cannot do, and what to do. */
  storeTrouble: string | null = null
  /** The number of a record that somebody tampered with. */
  tampered: number | null = null
  /** Changes that somebody asked for and may not make: a console that tells the truth makes none. */
  readonly refusedChanges: string[] = []
  readonly refusedQueries: string[] = []
  sequence = 1_000
  readonly changes: api.RuntimeChange[] = []
  private readonly listeners = new Set<(change: api.RuntimeChange) => void>()

  constructor() {
    const { projects, integrations } = seedProjects()
    this.projects = projects
    this.integrations = integrations
    this.runtimes = seedRuntimes(this)
    this.secrets = secretsOf(this)
    this.desk = new Desk(this)
    this.events = seedEvents(this)
    this.telemetry = new Telemetry(this)
    this.traces = new Traces(this)
    this.refusals = [
      {
        at: iso(-95),
        count: 42,
        code: 'UNKNOWN_KEY',
        message: 'The token is signed with a key that does not exist or was revoked.',
        fix: 'Generate a new secret in the console and put it into `secret` of Config.toml.',
        address: '10.0.3.19',
        keyId: 'k7m2q9xd',
        runtimeId: '8b1c7f52-0f1e-4a53-8a5b-2b6f3f4f2f0d',
        runtimeName: 'invoice-sync-old',
        environment: 'dev',
        project: 'billing',
        integration: 'invoice-sync',
      },
      {
        at: iso(-1_260),
        count: 3,
        code: 'CLOCK_SKEW',
        message: 'The token is not valid yet: the runtime’s clock is 412 s ahead.',
        fix: 'Synchronise the clock of the runtime’s machine (NTP).',
        address: '10.0.4.2',
        keyId: 'hb5w0c1z',
        runtimeId: null,
        runtimeName: null,
        environment: null,
        project: null,
        integration: null,
      },
    ]
  }

  listen(listener: (change: api.RuntimeChange) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Records what happened to a runtime and tells everybody who listens. */
  changed(kind: api.ChangeKind, record: RuntimeRecord | null, command: CommandRecord | null = null): void {
    this.sequence += 1
    const gone = kind === 'RETIRED' || kind === 'REMOVED'
    const change = {
      sequence: this.sequence,
      at: iso(0),
      resync: false,
      kind,
      runtime: gone || !record ? null : viewRuntime(record, this),
      runtimeKey: record?.id ?? null,
      command: command && this.desk.view(command),
    } as unknown as api.RuntimeChange
    this.changes.push(change)
    const event = record && eventOf(kind, record as unknown as api.RuntimeRef, this.sequence)
    if (event) this.events.unshift(event)
    for (const listener of this.listeners) listener(change)
  }
}

export function iso(offsetS: number): string {
  return new Date(Date.now() + offsetS * 1_000).toISOString()
}

export function countsOf(runtimes: RuntimeRecord[]): api.RuntimeCounts {
  const offline = runtimes.filter((runtime) => runtime.silent).length
  const unknown = runtimes.filter((runtime) => runtime.unheard).length
  return { total: runtimes.length, running: runtimes.length - offline - unknown, offline, unknown }
}

export function verdict(runtime: RuntimeRecord): Pick<api.Runtime, 'status' | 'statusReason' | 'statusSince'> {
  if (runtime.unheard) {
    const statusReason = `The control plane began to listen 20 s ago and has not heard from it since; it says offline after ${runtime.offlineAfterSeconds} s of silence.`
    return { status: 'UNKNOWN', statusReason, statusSince: iso(-20) }
  }
  if (runtime.silent) {
    const statusReason = `No heartbeat from ${runtime.address} since; one is expected every ${runtime.heartbeatIntervalSeconds} s, offline after ${runtime.offlineAfterSeconds} s of silence. The process ended, or it cannot reach this server.`
    return { status: 'OFFLINE', statusReason, statusSince: runtime.lastHeartbeatAt ?? runtime.registeredAt }
  }
  return { status: 'RUNNING', statusReason: 'Its heartbeats arrive in time.', statusSince: runtime.cameAt }
}

/** The object that the schema's default resolvers read; lists are functions because they take arguments. */
export function viewRuntime(record: RuntimeRecord, db: Db) {
  const beats = !record.silent && !record.unheard
  return {
    ...record,
    ...verdict(record),
    lastHeartbeatAt: beats ? iso(-(Date.now() / 1_000 + record.id.length * 7) % HEARTBEAT_S) : record.lastHeartbeatAt,
    serviceCount: record.services.length,
    listenerCount: record.listeners.length,
    services: (page: PageArguments) => connection(record.services, page),
    listeners: (page: PageArguments) => connection(record.listeners, page),
    logLevels: (page: PageArguments) => connection(record.logLevels, page),
    consumers: (page: PageArguments) => connection(record.consumers, page),
    schedules: (page: PageArguments) => connection(record.schedules, page),
    artifacts: ({
      kind,
      search,
      ...page
    }: PageArguments & { kind?: api.ArtifactKind | null; search?: string | null }) =>
      connection(
        allArtifacts(record).filter(
          (each) => (!kind || each.kind === kind) && each.name.toLowerCase().includes((search ?? '').toLowerCase()),
        ),
        page,
      ),
    changes: db.desk.changesOf(record),
    permissions: db.people.permissionsIn({
      project: record.project.handle,
      integration: record.integration.handle,
      environment: record.environment.handle,
    }),
    commands: (page: PageArguments) => connection(db.desk.commandsOf({ runtime: record.id }), page),
    movedTo: null,
    tryIt: () => tryItOf(db, record),
  }
}

export type PageArguments = { first?: number | null; after?: string | null }

/** A list without pages, of which one may ask for the first. */
export const firstOf =
  <Each>(all: Each[]) =>
  ({ first }: { first?: number | null }) =>
    all.slice(0, first ?? 500)

export function connection<Node>(all: Node[], { first, after }: PageArguments) {
  const start = after ? Number(after) : 0
  const end = start + Math.min(first ?? 50, 500)
  return {
    nodes: all.slice(start, end),
    totalCount: all.length,
    pageInfo: { endCursor: end < all.length ? String(end) : null, hasNextPage: end < all.length },
  }
}
