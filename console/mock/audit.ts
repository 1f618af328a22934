import type * as api from '../src/api/generated/schema'
import { matches } from './access'
import { connection, type Db, iso, type PageArguments } from './db'

const within = (at: string, from?: string | null, to?: string | null) => (!from || at >= from) && (!to || at < to)

/** Who did what, and what happened to the fleet. */
export function auditRoot(db: Db) {
  return {
    auditRecords: ({ filter, ...page }: PageArguments & { filter?: api.AuditFilter | null }) =>
      connection(filterAudit(db, filter), page),
    auditCheck: () => {
      const broken = db.tampered
      const message = broken
        ? `Record ${broken} does not fit to the one before it.`
        : `All ${db.people.audit.length} records fit together.`
      return { intact: !broken, checked: db.people.audit.length, brokenAt: broken, message, from: null }
    },
    events: ({ filter, ...page }: PageArguments & { filter?: api.EventFilter | null }) =>
      connection(
        db.events.filter((each) => wantsEvent(each, filter)),
        page,
      ),
  }
}

export function filterAudit(db: Db, filter: api.AuditFilter | null | undefined): api.AuditRecord[] {
  return db.people.audit.filter(
    (each) =>
      (!filter?.actor || each.actor === filter.actor) &&
      (!filter?.action ||
        (filter.action.endsWith('.') ? each.action.startsWith(filter.action) : each.action === filter.action)) &&
      (!filter?.outcome || each.outcome === filter.outcome) &&
      (!filter?.project || each.target.includes(filter.project)) &&
      matches(filter?.search, each.target, each.detail) &&
      within(each.at, filter?.from, filter?.to),
  )
}

export function wantsEvent(event: api.Event, filter: api.EventFilter | null | undefined): boolean {
  return (
    (!filter?.project || event.project?.handle === filter.project) &&
    (!filter?.integration || event.integration?.handle === filter.integration) &&
    (!filter?.environment || event.environment?.handle === filter.environment) &&
    (!filter?.runtime || event.runtime?.id === filter.runtime) &&
    (!filter?.kinds?.length ||
      filter.kinds.some((kind) => (kind.endsWith('.') ? event.kind.startsWith(kind) : event.kind === kind))) &&
    within(event.at, filter?.from, filter?.to)
  )
}

const TOLD: Partial<Record<api.ChangeKind, [string, string]>> = {
  REGISTERED: ['runtime.registered', 'registered.'],
  RUNNING: ['runtime.running', 'came back.'],
  OFFLINE: ['runtime.offline', 'fell silent.'],
  RETIRED: ['runtime.retired', 'was retired.'],
  REMOVED: ['runtime.removed', 'was removed.'],
}

/** The event that a change of a runtime makes, if any. */
export function eventOf(
  kind: api.ChangeKind,
  runtime: api.Event['runtime'] & object,
  sequence: number,
): api.Event | null {
  const told = TOLD[kind]
  if (!told) return null
  const { project, integration, environment } = runtime
  return {
    sequence,
    at: iso(0),
    kind: told[0],
    message: `${runtime.name ?? runtime.runtimeId} of ${project.displayName} / ${integration.displayName} ${told[1]}`,
    runtime,
    project,
    integration,
    environment,
    secretKeyId: null,
  }
}

/** What happened before the mock began, newest first. */
export function seedEvents(db: Db): api.Event[] {
  return db.runtimes.slice(0, 24).flatMap((runtime, index) => {
    const ref = runtime as unknown as api.RuntimeRef
    const event = eventOf(index % 4 === 3 ? 'OFFLINE' : 'REGISTERED', ref, 900 - index)
    return event ? [{ ...event, at: iso(-index * 4_100 - 300) }] : []
  })
}
