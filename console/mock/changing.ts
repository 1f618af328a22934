import type * as api from '../src/api/generated/schema'
import { matches } from './access'
import { connection, type Db, firstOf, type PageArguments, type RuntimeRecord, verdict } from './db'
import { isFailed } from './drift'
import { allArtifacts } from './observe'
import { refs, type Scope } from './people'
import { refuse } from './refuse'

type Target = { kind: api.HandleKind; handle: string; project?: string | null }
type Deleting = { handle: string; project?: string; cascade?: boolean | null; confirm?: string | null }

/** Changing and deleting of the tree, and artifacts merged over runtimes. */
export function changingRoot(db: Db) {
  const { people } = db
  const scopeOf = ({ kind, handle, project }: Target): Scope =>
    kind === 'PROJECT'
      ? { project: handle }
      : kind === 'INTEGRATION'
        ? { project: project ?? null, integration: handle }
        : { environment: handle }
  const covers = (scope: Scope, place: { project?: string; integration?: string; environment?: string }) =>
    (!scope.project || scope.project === place.project) &&
    (!scope.integration || scope.integration === place.integration) &&
    (!scope.environment || scope.environment === place.environment)
  const ofRuntime = (each: RuntimeRecord) => ({
    project: each.project.handle,
    integration: each.integration.handle,
    environment: each.environment.handle,
  })
  const placeOf = (scope: Scope) => ({
    ...(scope.project ? { project: scope.project } : {}),
    ...(scope.integration ? { integration: scope.integration } : {}),
    ...(scope.environment ? { environment: scope.environment } : {}),
  })
  const exists = ({ kind, handle, project }: Target) =>
    kind === 'PROJECT'
      ? db.projects.some((each) => each.handle === handle)
      : kind === 'ENVIRONMENT'
        ? db.environments.some((each) => each.handle === handle)
        : db.integrations.some((each) => each.handle === handle && each.project === project)
  const hangs = (target: Target, deleted: boolean): api.Deletion => {
    const scope = scopeOf(target)
    const runtimes = db.runtimes.filter((each) => covers(scope, ofRuntime(each)))
    const integrations =
      target.kind === 'PROJECT' ? db.integrations.filter((each) => each.project === target.handle).length : 0
    const secrets = db.secrets.filter((each) =>
      covers(scope, {
        environment: each.environment.handle,
        ...(each.project ? { project: each.project.handle } : {}),
        ...(each.integration ? { integration: each.integration.handle } : {}),
      }),
    ).length
    const roleMappings = people.mappings.filter((each) => Object.keys(scope).length > 0 && isWithin(each.scope, scope))
    const total = runtimes.length + integrations + secrets + roleMappings.length
    return {
      kind: target.kind,
      handle: target.handle,
      deleted,
      integrations,
      runtimes: runtimes.length,
      runningRuntimes: runtimes.filter((each) => verdict(each).status === 'RUNNING').length,
      secrets,
      desiredStates: 0,
      roleMappings: roleMappings.length,
      groups: people.groups.filter((each) => target.kind === 'PROJECT' && each.project === target.handle).length,
      message: total === 0 ? 'Nothing hangs on it.' : `${total} things hang on it.`,
    }
  }
  const isWithin = (inner: Scope, outer: Scope) => covers(outer, placeOf(inner))
  const remove = <Row>(rows: Row[], gone: (row: Row) => boolean) => {
    const kept = rows.filter((row) => !gone(row))
    rows.splice(0, rows.length, ...kept)
  }
  const deleting = (target: Target, { cascade, confirm }: Deleting) => {
    if (!exists(target)) refuse('NOT_FOUND', 'There is nothing of this name.')
    const before = hangs(target, true)
    const hanging = before.integrations + before.runtimes + before.secrets + before.roleMappings
    if (hanging > 0 && !cascade) refuse('IN_USE', before.message, { fix: 'Delete what hangs on it, too.' })
    if (cascade && confirm !== target.handle)
      refuse('CONFIRMATION_MISSING', `Type ${target.handle} to confirm.`, { field: 'confirm' })
    const scope = scopeOf(target)
    remove(db.runtimes, (each) => covers(scope, ofRuntime(each)))
    db.secrets = db.secrets.filter(
      (each) =>
        !covers(scope, {
          environment: each.environment.handle,
          ...(each.project ? { project: each.project.handle } : {}),
          ...(each.integration ? { integration: each.integration.handle } : {}),
        }),
    )
    remove(people.mappings, (each) => isWithin(each.scope, scope))
    remove(people.groups, (each) => target.kind === 'PROJECT' && each.project === target.handle)
    if (target.kind === 'PROJECT') remove(db.projects, (each) => each.handle === target.handle)
    if (target.kind === 'ENVIRONMENT') remove(db.environments, (each) => each.handle === target.handle)
    remove(db.integrations, (each) =>
      target.kind === 'PROJECT'
        ? each.project === target.handle
        : target.kind === 'INTEGRATION' && each.handle === target.handle && each.project === target.project,
    )
    people.record(`${target.kind.toLowerCase()}.delete`, `${target.kind.toLowerCase()}:${target.handle}`, 'Deleted.')
    return before
  }
  const change = <Row extends { displayName: string }>(row: Row | undefined, input: object): Row => {
    if (!row) refuse('NOT_FOUND', 'There is nothing of this name.')
    const changed = Object.fromEntries(Object.entries(input).filter(([, value]) => value != null))
    if ('displayName' in changed && !String(changed.displayName).trim())
      refuse('INVALID', 'Enter a display name.', { field: 'displayName' })
    return Object.assign(row, changed)
  }

  return {
    deletion: (target: Target) => (exists(target) ? hangs(target, false) : null),
    updateProject: ({ handle, input }: { handle: string; input: api.UpdateProjectInput }) =>
      change(
        db.projects.find((each) => each.handle === handle),
        input,
      ),
    updateIntegration: (a: { project: string; handle: string; input: api.UpdateIntegrationInput }) =>
      change(
        db.integrations.find((each) => each.handle === a.handle && each.project === a.project),
        a.input,
      ),
    updateEnvironment: ({ handle, input }: { handle: string; input: api.UpdateEnvironmentInput }) =>
      change(
        db.environments.find((each) => each.handle === handle),
        input,
      ),
    deleteProject: (a: Deleting) => deleting({ kind: 'PROJECT', handle: a.handle }, a),
    deleteIntegration: (a: Deleting & { project: string }) =>
      deleting({ kind: 'INTEGRATION', handle: a.handle, project: a.project }, a),
    deleteEnvironment: (a: Deleting) => deleting({ kind: 'ENVIRONMENT', handle: a.handle }, a),
    mergedArtifacts: (
      a: PageArguments & {
        project: string
        integration: string
        environment: string
        kind?: api.ArtifactKind | null
        search?: string | null
        onlyDiffering?: boolean | null
        onlyFailed?: boolean | null
      },
    ) => {
      const place = refs(db, a)
      if (!place.integration || !place.environment) return null
      const all = merge(db.runtimes.filter((each) => covers(a, ofRuntime(each))))
      const wanted = all.filter(
        (each) =>
          (!a.kind || each.kind === a.kind) &&
          matches(a.search, each.name) &&
          (!a.onlyDiffering || !each.inSync) &&
          (!a.onlyFailed || each.failed),
      )
      return { ...connection(wanted, a), differing: all.filter((each) => !each.inSync).length }
    },
  }
}

/** Every artifact once, with who hosts it and in which forms. */
function merge(runtimes: RuntimeRecord[]) {
  const ref = (each: RuntimeRecord) => ({ ...each, ...verdict(each) })
  const running = runtimes.filter((each) => verdict(each).status === 'RUNNING')
  const found = new Map<string, { artifact: api.Artifact; forms: Map<string, RuntimeRecord[]> }>()
  for (const runtime of runtimes) {
    for (const artifact of allArtifacts(runtime)) {
      const key = `${artifact.kind} ${artifact.package} ${artifact.name}`
      const entry = found.get(key) ?? { artifact, forms: new Map() }
      const form = JSON.stringify({
        state: artifact.state,
        ...Object.fromEntries(artifact.facts.map((f) => [f.name, f.value])),
      })
      entry.forms.set(form, [...(entry.forms.get(form) ?? []), runtime])
      found.set(key, entry)
    }
  }
  return [...found.values()].map(({ artifact, forms }) => {
    const ordered = [...forms].sort((a, b) => b[1].length - a[1].length)
    const most = JSON.parse(ordered[0]?.[0] ?? '{}') as Record<string, unknown>
    const hosts = ordered.flatMap(([, each]) => each)
    const missingOn = running.filter((each) => !hosts.includes(each))
    return {
      ...artifact,
      state: ordered.length === 1 ? (artifact.state ?? 'UNKNOWN') : 'UNKNOWN',
      hostedBy: firstOf(hosts.map(ref)),
      hostCount: hosts.length,
      missingOn: firstOf(missingOn.map(ref)),
      missingCount: missingOn.length,
      inSync: ordered.length === 1 && missingOn.length === 0,
      failed: [...forms.keys()].some(isFailed),
      variants: ordered.map(([form, each]) => {
        const fields = Object.entries(JSON.parse(form) as Record<string, unknown>)
        const differences = Object.fromEntries(fields.filter(([name, value]) => most[name] !== value))
        return { differences: JSON.stringify(differences), runtimes: firstOf(each.map(ref)), runtimeCount: each.length }
      }),
    }
  })
}
