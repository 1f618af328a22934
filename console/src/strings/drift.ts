/** Integrations that are not as somebody wants them. */
export const drift = {
  title: 'Drift',
  note: 'Where running copies differ from each other, artifacts failed, or what was asked for was not carried out; one row for each integration and environment.',
  what: 'what is not as wanted',
  figure: 'Not as wanted',
  trouble: 'What is wrong',
  all: 'Anything',
  troubles: { DIFFERING: 'Copies differ', FAILED: 'Artifacts failed', UNREACHED: 'Not carried out' },
  counted: {
    DIFFERING: (count: number) => `${count} with differing copies`,
    FAILED: (count: number) => `${count} with failed artifacts`,
    UNREACHED: (count: number) => `${count} with changes not carried out`,
  },
  asWanted: 'all as wanted',
  columns: {
    integration: 'Integration',
    environment: 'Environment',
    running: 'Running',
    forms: 'Copies',
    failed: 'Failed artifacts',
    unreached: 'Not carried out',
  },
  forms: (count: number) => `${count} differing forms`,
  failed: (count: number) => (count === 1 ? '1 failed' : `${count} failed`),
  unreached: (count: number) => (count === 1 ? '1 change' : `${count} changes`),
  linkOf: (link: string, integration: string, environment: string) => `${link}: ${integration}, ${environment}`,
  emptyTitle: 'Everything is as wanted',
  emptyText:
    'Running copies of each integration host the same in the same state, no artifact failed, and all that was asked for is done.',
}
