import type * as api from '../src/api/generated/schema'
import { connection, type Db, firstOf, type PageArguments, type RuntimeRecord } from './db'
import { isOpen, type Place, placeOf, samePlace, sameTarget, viewRef } from './desk'
import { type Hosted, hostedBy, LEVELS, observe, STEERABLE, type Target } from './observe'
import { refuse } from './refuse'

/** Failed commands are shown for so long. */
const LATELY_S = 3_600
const SWITCH = ['ENABLED', 'DISABLED']

type Search = { kind?: api.SteerableKind | null; search?: string | null; onlyDiffering?: boolean | null }

/** What the schema's `Steering` says of one integration in one environment. */
export function steeringOf(db: Db, place: Place) {
  const environment = db.environments.find((each) => each.handle === place.environment)
  const integration = db.integrations.find(
    (each) => each.handle === place.integration && each.project === place.project,
  )
  const project = db.projects.find((each) => each.handle === place.project)
  if (!environment || !integration || !project) return null
  const runtimes = db.runtimes.filter((each) => samePlace(placeOf(each), place))
  const running = runtimes.filter((each) => !each.silent && !each.unheard)
  const resting = runtimes.filter((each) => !running.includes(each))
  const artifacts = everything(db, place, runtimes).map((each) =>
    viewArtifact(db, place, each, running, integration.runtimeType),
  )
  const differs = (each: (typeof artifacts)[number]) =>
    each.missingCount > 0 || each.aspects.some((aspect) => !aspect.inSync)
  return {
    project,
    integration,
    environment,
    type: integration.runtimeType,
    runtimes: firstOf([...running, ...resting].map(viewRef)),
    runtimeCount: runtimes.length,
    runningCount: running.length,
    notRunning: firstOf(resting.map(viewRef)),
    hosts: ({ kind, name, package: from, first }: api.SteeringHostsArgs) =>
      firstOf(
        running
          .filter((runtime) =>
            hostedBy(runtime).some(
              (each) => each.kind === kind && each.name === name && (!from || each.package === from),
            ),
          )
          .map(viewRef),
      )({ first }),
    differing: artifacts.filter(differs).length,
    drift: artifacts.flatMap(driftOf),
    artifacts: ({ kind, search, onlyDiffering, ...page }: Search & PageArguments) =>
      connection(
        artifacts.filter(
          (each) =>
            (!kind || each.kind === kind) &&
            each.name.toLowerCase().includes((search ?? '').toLowerCase()) &&
            (!onlyDiffering || differs(each)),
        ),
        page,
      ),
  }
}

/** What any runtime hosts, and what was asked for something that nobody hosts. */
function everything(db: Db, place: Place, runtimes: RuntimeRecord[]): Hosted[] {
  const all = new Map<string, Hosted>()
  for (const runtime of runtimes) for (const each of hostedBy(runtime)) all.set(keyOf(each), each)
  for (const wish of db.desk.wishes.filter((each) => each.value && samePlace(each, place))) {
    if (!all.has(keyOf(wish)))
      all.set(keyOf(wish), { kind: wish.kind, name: wish.name, package: wish.package, label: '' })
  }
  return [...all.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

const keyOf = (each: Pick<Hosted, 'kind' | 'name' | 'package'>) => `${each.kind} ${each.name} ${each.package}`

function viewArtifact(db: Db, place: Place, hosted: Hosted, running: RuntimeRecord[], type: api.RuntimeType) {
  const hosts = running.filter((runtime) => hostedBy(runtime).some((each) => keyOf(each) === keyOf(hosted)))
  const aspects = (STEERABLE[type][hosted.kind] ?? []).map((aspect) => {
    const target = { ...hosted, aspect }
    const wish = db.desk.wish(place, target)
    const observed = observedBy(hosts, target)
    const desired = wish?.value ? wish : null
    const agreed = observed.length === 1 ? observed[0]?.value : undefined
    const since = Date.now() - LATELY_S * 1_000
    return {
      aspect,
      values: aspect === 'LEVEL' ? LEVELS[type] : SWITCH,
      desired,
      observed,
      inSync: observed.length <= 1 && (!desired || agreed === desired.value),
      commands: db.desk
        .commandsOf(place)
        .filter((each) => each.kind && each.aspect && sameTarget(each as Target, target))
        .filter(
          (each) => isOpen(each) || (each.state === 'FAILED' && each.retryable && Date.parse(each.queuedAt) > since),
        )
        .slice(0, 20),
    }
  })
  const missing = hosts.length > 0 ? running.filter((each) => !hosts.includes(each)).map(viewRef) : []
  return {
    ...hosted,
    aspects,
    triggerable: (type === 'PY' && hosted.kind === 'SCHEDULE') || (type === 'MI' && hosted.kind === 'TASK'),
    missing,
    missingOn: firstOf(missing),
    missingCount: missing.length,
  }
}

function observedBy(hosts: RuntimeRecord[], target: Hosted & { aspect: api.Aspect }) {
  const groups = new Map<string, { value: string; reason: string | null; members: ReturnType<typeof viewRef>[] }>()
  for (const runtime of hosts) {
    const seen = observe(runtime, target)
    if (!seen) continue
    const group = groups.get(seen.value) ?? { ...seen, members: [] }
    group.members.push(viewRef(runtime))
    groups.set(seen.value, group)
  }
  return [...groups.values()]
    .sort((a, b) => b.members.length - a.members.length)
    .map((each) => ({ ...each, runtimes: firstOf(each.members), runtimeCount: each.members.length }))
}

function driftOf({ kind, name, missing, aspects }: ReturnType<typeof viewArtifact>) {
  const what = `${kind.toLowerCase().replaceAll('_', ' ')} \`${name}\``
  const called = (runtimes: { name?: string | null; runtimeId: string }[]) =>
    runtimes.length > 2
      ? `${runtimes.length} runtimes`
      : runtimes.map((each) => each.name ?? each.runtimeId.slice(0, 8)).join(', ')
  const differing = aspects
    .filter((each) => each.observed.length > 1)
    .map((each) => ({
      message: `The ${what} is ${each.observed.map((group) => `${group.value} on ${called(group.members)}`).join(', ')}.`,
      kind,
      name,
      members: each.observed.slice(1).flatMap((group) => group.members),
    }))
  const lacking =
    missing.length > 0
      ? [{ message: `The ${what} is missing on ${called(missing)}.`, kind, name, members: missing }]
      : []
  return [...differing, ...lacking].map(({ members, ...each }) => ({
    ...each,
    runtimes: firstOf(members),
    runtimeCount: members.length,
  }))
}

/** The mutations and queries of steering. */
export function steeringRoot(db: Db) {
  const confirmed = (environment: { handle: string; critical: boolean }, confirm: string | null | undefined) => {
    if (!environment.critical || confirm === environment.handle) return
    refuse('CONFIRMATION_NEEDED', `${environment.handle} is critical: confirm by its handle.`, { field: 'confirm' })
  }
  const environmentOf = (handle: string) =>
    db.environments.find((each) => each.handle === handle) ?? refuse('NOT_FOUND', 'There is no such environment.')
  const runtimeOf = (id: string) =>
    db.runtimes.find((each) => each.id === id) ?? refuse('NOT_FOUND', 'There is no such runtime.')
  const views = (commands: Parameters<typeof db.desk.view>[0][]) => commands.map((each) => db.desk.view(each))
  const packageOf = (place: Place, kind: api.SteerableKind, name: string) =>
    db.runtimes
      .filter((each) => samePlace(placeOf(each), place))
      .flatMap(hostedBy)
      .find((each) => each.kind === kind && each.name === name)?.package ?? ''

  const changeUser = (
    action: 'ADD_USER' | 'REMOVE_USER',
    input: { runtime: string; name: string; confirm?: string | null },
  ) => {
    const runtime = runtimeOf(input.runtime)
    confirmed(runtime.environment, input.confirm)
    if (runtime.silent) refuse('RUNTIME_NOT_RUNNING', 'The runtime is not running.')
    return db.desk.view(db.desk.queue(runtime, action, { name: input.name }, null))
  }

  return {
    steering: (place: Place) => steeringOf(db, place),
    commands: ({ filter, ...page }: { filter?: api.CommandFilter | null } & PageArguments) =>
      connection(db.desk.commandsOf(filter), page),
    command: ({ id }: { id: string }) => db.desk.commandsOf(null).find((each) => each.id === id) ?? null,
    changeArtifact: ({ input }: { input: api.ChangeArtifactInput }) => {
      confirmed(environmentOf(input.environment), input.confirm)
      const from = input.package ?? packageOf(input, input.kind, input.name)
      const target = { kind: input.kind, name: input.name, package: from, aspect: input.aspect }
      const desired = db.desk.note(placeIn(input), target, input.value)
      const { commands, waiting } = db.desk.follow(placeIn(input), target, input.value)
      return { desired, commands: views(commands), waiting }
    },
    changeLogLevel: ({ input }: { input: api.ChangeLogLevelInput }) => {
      confirmed(environmentOf(input.environment), input.confirm)
      const target = { kind: 'LOGGER' as const, name: input.logger, package: '', aspect: 'LEVEL' as const }
      const desired = db.desk.note(placeIn(input), target, input.level)
      const { commands, waiting } = db.desk.follow(placeIn(input), target, input.level)
      return { desired, commands: views(commands), waiting }
    },
    resetLogLevel: ({ input }: { input: api.ResetLogLevelInput }) => {
      confirmed(environmentOf(input.environment), input.confirm)
      const target = { kind: 'LOGGER' as const, name: input.logger, package: '', aspect: 'LEVEL' as const }
      db.desk.note(placeIn(input), target, null)
      const { commands, waiting } = db.desk.follow(placeIn(input), target, '', true)
      return { desired: null, commands: views(commands), waiting }
    },
    forgetDesiredState: ({ input }: { input: api.ForgetDesiredStateInput }) => {
      const from = input.package ?? packageOf(input, input.kind, input.name)
      const target = { kind: input.kind, name: input.name, package: from, aspect: input.aspect }
      if (!db.desk.wish(placeIn(input), target)?.value) return false
      db.desk.note(placeIn(input), target, null)
      return true
    },
    triggerArtifact: ({ input }: { input: api.TriggerArtifactInput }) => {
      const runtime = runtimeOf(input.runtime)
      confirmed(runtime.environment, input.confirm)
      if (runtime.silent) refuse('RUNTIME_NOT_RUNNING', 'The runtime is not running.')
      const target = { kind: input.kind, name: input.name, package: input.package ?? '' }
      return db.desk.view(db.desk.queue(runtime, 'TRIGGER', target, null))
    },
    retryCommand: ({ id }: { id: string }) => {
      const again = db.desk.retry(id)
      if (!again) refuse('NOT_RETRYABLE', 'This command cannot be tried again: a newer one took its place.')
      return db.desk.view(again)
    },
    restartRuntime: ({ id, confirm }: { id: string; confirm?: string | null }) => {
      const runtime = runtimeOf(id)
      confirmed(runtime.environment, confirm)
      if (!runtime.restartable) refuse('CAPABILITY_MISSING', 'This runtime did not declare that it can restart.')
      return db.desk.view(db.desk.queue(runtime, 'RESTART', {}, null))
    },
    addMicroIntegratorUser: ({ input }: { input: api.AddMicroIntegratorUserInput }) => changeUser('ADD_USER', input),
    removeMicroIntegratorUser: ({ input }: { input: api.RemoveMicroIntegratorUserInput }) =>
      changeUser('REMOVE_USER', input),
    askRuntime: ({ input }: { input: api.AskRuntimeInput }) => {
      const runtime = runtimeOf(input.runtime)
      if (runtime.silent) refuse('RUNTIME_NOT_RUNNING', 'The runtime is not running.')
      const target = input.question === 'SOURCE' ? { name: input.name ?? '' } : {}
      return db.desk.view(db.desk.queue(runtime, ASKS[input.question], target, null, input))
    },
  }
}

const ASKS: Record<api.Question, api.CommandAction> = {
  LOGGERS: 'LIST_LOGGERS',
  SOURCE: 'READ_SOURCE',
  LOG_FILES: 'LIST_LOG_FILES',
  LOG_FILE: 'READ_LOG_FILE',
  REGISTRY: 'LIST_REGISTRY',
  REGISTRY_FILE: 'READ_REGISTRY_FILE',
  REGISTRY_PROPERTIES: 'REGISTRY_PROPERTIES',
  USERS: 'LIST_USERS',
}

function placeIn({ project, integration, environment }: Place): Place {
  return { project, integration, environment }
}
