import { SPANS } from './choices'
import { line } from './cli'
import type { AuditSearch, DriftSearch, EventsSearch, LogsSearch, TracesSearch } from './search'

type Text = string | null | undefined
type Place = { project?: Text; integration?: Text; environment?: Text }
type Timed = { span?: (typeof SPANS)[number] | undefined; from?: Text; to?: Text }

/** A chosen time, or so long up to now. */
const time = ({ span, from, to }: Timed) => (from ? { from, to } : { since: span ?? SPANS[1] })
const placeOf = ({ project, integration, environment }: Place) => ({ project, integration, environment })
/** A local instant of a form as the command line takes it. */
const instant = (local: Text): Text => local && new Date(local).toISOString()

/**
 * The verbs of the command line that list what a page lists. Null where the page is narrowed by what the command line does
 * not know: another list would be copied than the one that is seen.
 */
export const lists = {
  projects: (search: Text) => line(['projects', 'list'], { search }),
  integrations: (project: string, search: Text, type: Text) =>
    line(['integrations', 'list'], { project, search, type }),
  drift: ({ trouble, ...place }: DriftSearch) =>
    line(['drift', 'list'], { ...placeOf(place), trouble: trouble?.toLowerCase() }),
  environments: () => line(['environments', 'list']),
  secrets: (place: Place) => line(['secrets', 'list'], placeOf(place)),
  groups: (search: Text) => line(['groups', 'list'], { search }),
  roles: (search: Text) => line(['roles', 'list'], { search }),
  users: (search: Text, others: readonly unknown[]) =>
    others.some(Boolean) ? null : line(['users', 'list'], { search }),
  audit: ({ actor, action, outcome, search, from, to, ...place }: AuditSearch) =>
    place.project || place.environment
      ? null
      : line(['audit', 'list'], { actor, action, outcome, search, from: instant(from), to: instant(to) }),
  events: ({ kind, from, to }: EventsSearch, place: Place & { runtime?: Text }) =>
    line(['events', 'list'], {
      ...placeOf(place),
      runtime: place.runtime,
      kind,
      from: instant(from),
      to: instant(to),
    }),
  logs: ({ runtime, level, search, token, trace, status, calls, live, ...others }: LogsSearch) =>
    line(['logs', ...(live ? ['--follow'] : []), ...(status ?? []).flatMap((each) => ['--status', each])], {
      ...placeOf(others),
      runtime,
      level: level && `${level.toLowerCase()}+`,
      grep: search,
      token,
      trace,
      outbound: status && calls,
      ...time(others),
    }),
  traces: ({ runtime, service, operation, failed, slower, status, calls, ...others }: TracesSearch) =>
    line(['traces', ...(status ?? []).flatMap((each) => ['--status', each])], {
      ...placeOf(others),
      runtime,
      service,
      name: operation,
      failed,
      'slower-than': slower === undefined ? undefined : String(slower),
      outbound: status && calls,
      ...time(others),
    }),
}
