import type * as api from '../src/api/generated/schema'
import { TROUBLES } from '../src/util/choices'
import { connection, type Db, type PageArguments, type RuntimeRecord, verdict } from './db'
import { isOpen, placeOf } from './desk'
import { allArtifacts } from './observe'

const STALLED_AFTER_MS = 60_000

/** A form of an artifact in which it failed. */
export const isFailed = (form: string) => (JSON.parse(form) as { state?: string | null }).state === 'FAILED'

/** What a runtime reports of what its copies should share. */
const likeness = (runtime: RuntimeRecord) => JSON.stringify(allArtifacts(runtime))

/** Places that are not as wanted, and how many are so in what. */
export function driftRoot(db: Db) {
  const places = (): api.NotAsWanted[] => {
    const found = new Map<string, RuntimeRecord[]>()
    for (const runtime of db.runtimes.filter((each) => verdict(each).status === 'RUNNING')) {
      const place = placeOf(runtime)
      if (!db.people.holds('INTEGRATION_MGT_VIEW', place)) continue
      const key = JSON.stringify(place)
      found.set(key, [...(found.get(key) ?? []), runtime])
    }
    return [...found.values()].flatMap((runtimes) => {
      const [first] = runtimes
      if (!first) return []
      const stalled = db.desk
        .commandsOf(placeOf(first))
        .filter(
          (each) =>
            each.aspect &&
            ((each.state === 'FAILED' && each.retryable) ||
              (isOpen(each) && Date.now() - Date.parse(each.queuedAt) > STALLED_AFTER_MS)),
        )
      const { project, integration, environment } = first
      return {
        project,
        integration,
        environment,
        running: runtimes.length,
        forms: new Set(runtimes.map(likeness)).size,
        failed: runtimes.flatMap(allArtifacts).filter(({ state }) => state === 'FAILED').length,
        unreached: new Set(stalled.map(({ kind, name, aspect }) => `${kind} ${name} ${aspect}`)).size,
      }
    })
  }
  const has = (trouble: api.Trouble, { forms, failed, unreached }: api.NotAsWanted) =>
    trouble === 'DIFFERING' ? forms > 1 : (trouble === 'FAILED' ? failed : unreached) > 0
  const order = ({ environment, project, integration }: api.NotAsWanted) =>
    `${environment.critical ? 0 : 1} ${project.displayName} / ${integration.displayName}`.toLowerCase()
  return {
    notAsWanted: ({ filter, ...page }: { filter?: api.NotAsWantedFilter | null } & PageArguments) => {
      const all = places()
        .filter((each) => TROUBLES.some((trouble) => has(trouble, each)))
        .filter(
          (each) =>
            (!filter?.project || each.project.handle === filter.project) &&
            (!filter?.environment || each.environment.handle === filter.environment),
        )
        .sort((a, b) => (order(a) < order(b) ? -1 : 1))
      const count = (trouble: api.Trouble) => all.filter((each) => has(trouble, each)).length
      const { trouble } = filter ?? {}
      return {
        ...connection(trouble ? all.filter((each) => has(trouble, each)) : all, page),
        places: all.length,
        differing: count('DIFFERING'),
        failed: count('FAILED'),
        unreached: count('UNREACHED'),
      }
    },
  }
}
