/** The verbs of the command line that do what a button does. */
type Narrow = {
  project?: string | null | undefined
  integration?: string | null | undefined
  environment?: string | null | undefined
  status?: string | undefined
  search?: string | undefined
}
type Artifact = { kind: string; name: string; package: string; aspect: string }
/** `confirm` is the environment's handle, where it is critical. */
type Place = { confirm?: string | null; project: string; integration: string; environment: string }

/** A word of a command line: quoted where a shell would read something else in it. */
export function word(text: string): string {
  return /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

export function line(words: string[], options: Record<string, string | true | null | undefined> = {}): string {
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : value ? [`--${name}`, word(value)] : [],
  )
  return ['pilothouse', ...words.map(word), ...given].join(' ')
}

const steered: Partial<Record<string, string>> = {
  LISTENER: 'listeners',
  CONSUMER: 'consumers',
  SCHEDULE: 'schedules',
}

export const cli = {
  listRuntimes: ({ project, integration, environment, status, search }: Narrow) =>
    line(['runtimes', 'list'], { project, integration, environment, status, search }),
  restartRuntime: ({ id }: { id: string }) => line(['runtimes', 'restart', id]),
  /** `confirm` is the environment's handle, where it is critical. */
  trigger: ({ kind, name, package: from }: Omit<Artifact, 'aspect'>, runtime: string, confirm: string | null) =>
    line(['trigger', name], { runtime, kind, package: from, confirm }),
  retryCommand: ({ id }: { id: string }) => line(['commands', 'retry', id]),
  /** With all that hangs on it only where something does; a deletion is always confirmed by the handle there. */
  deletePlace: (
    kind: 'PROJECT' | 'INTEGRATION' | 'ENVIRONMENT',
    handle: string,
    project: string | undefined,
    cascade: boolean,
  ) =>
    line([`${kind.toLowerCase()}s`, 'delete', handle], {
      project: kind === 'INTEGRATION' ? project : null,
      cascade: cascade || undefined,
      confirm: handle,
    }),
  changeUser: (verb: 'disable' | 'enable' | 'unlock' | 'reset-password' | 'delete', username: string) =>
    line(['users', verb, username], { yes: verb === 'delete' || undefined }),
  removeRuntime: ({ id }: { id: string }, withSecret: boolean) =>
    line(['runtimes', 'remove', id], { 'revoke-secret': withSecret || undefined }),
  /** Asks for the password: it is no part of a command line. `confirm` is the environment's handle, where it is critical. */
  addUser: ({ id }: { id: string }, name: string, administrator: boolean, confirm: string | null) =>
    line(['runtimes', 'users', 'add', id, name], { administrator: administrator || undefined, confirm }),
  removeUser: ({ id }: { id: string }, name: string, confirm: string | null) =>
    line(['runtimes', 'users', 'remove', id, name], { yes: confirm ? undefined : true, confirm }),
  setArtifact: ({ kind, name, package: from, aspect }: Artifact, value: string, place: Place) => {
    if (aspect === 'LEVEL') return line(['log-level', 'set', name, value], place)
    const verb = steered[kind]
    const options = { ...place, package: from }
    if (verb && aspect === 'STATE') return line([verb, value === 'DISABLED' ? 'stop' : 'start', name], options)
    return line(['artifacts', 'set', kind, name, value], { ...options, aspect: aspect === 'STATE' ? null : aspect })
  },
  generateSecret: (options: Narrow) =>
    line(['secrets', 'generate'], {
      environment: options.environment,
      project: options.project,
      integration: options.integration,
    }),
  rotateSecret: (keyId: string, overlapS: number) => line(['secrets', 'rotate', keyId], { overlap: `${overlapS}s` }),
  /** `confirm` is the environment's handle, where it is critical. */
  revokeSecret: (keyId: string, graceS: number, confirm: string | null) =>
    line(['secrets', 'revoke', keyId], { grace: graceS > 0 ? `${graceS}s` : null, confirm }),
}
