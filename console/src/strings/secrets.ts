export const secrets = {
  title: 'Secrets',
  of: (name: string) => `Secrets of ${name}`,
  what: 'the secrets',
  note: 'The credentials that runtimes sign their heartbeats with. Their material is shown once and never again.',
  columns: {
    keyId: 'Key id',
    environment: 'Environment',
    bound: 'Bound to',
    created: 'Created',
    by: 'By',
    lastUsed: 'Last used',
    runtimes: 'Runtimes',
    actions: 'Actions',
  },
  unbound: 'not yet, waits for its first heartbeat',
  never: 'never',
  revoke: 'Revoke',
  revokeLabel: (keyId: string) => `Revoke ${keyId}`,
  allEnvironments: 'All environments',
  environmentFilter: 'Environment',
  emptyTitle: 'There is no secret here',
  emptyText: 'Add Runtime generates one, shows it once, and waits for its first heartbeat.',
  add: 'Add Runtime',
  confirm: {
    title: (keyId: string) => `Revoke secret ${keyId}?`,
    hangs: (count: number) =>
      count === 0
        ? 'No runtime uses it.'
        : count === 1
          ? 'One runtime uses it. It goes on running, but is refused from its next heartbeat on and turns offline here, until it is given another secret.'
          : `${count} runtimes use it. They go on running, but are refused from their next heartbeat on and turn offline here, until they are given another secret.`,
    final: 'Its material is destroyed. This cannot be undone.',
    type: (handle: string) => `Type ${handle} to confirm`,
    mismatch: (handle: string) => `This is a critical environment: type ${handle} first.`,
    submit: 'Revoke secret',
    submitting: 'Revoking…',
    done: (keyId: string, count: number) =>
      count === 0 ? `Secret ${keyId} is revoked.` : `Secret ${keyId} is revoked; ${count} runtimes need another one.`,
  },
}
