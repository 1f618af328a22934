const runtimes = (count: number) => (count === 1 ? '1 runtime' : `${count} runtimes`)

export const bulk = {
  label: 'Selection',
  selected: (count: number) => `${count} selected`,
  clear: 'Clear',
  clearLabel: 'Clear the selection',
  restart: 'Restart',
  level: 'Log level',
  steer: 'Steer',
  remove: 'Remove',
  tooMany: (limit: number) => `At most ${limit} at a time: select fewer.`,
  tooManyPlaces: (limit: number) => `At most ${limit} integrations and environments at a time: select fewer.`,
  severalPlaces: 'They are of several integrations or environments: start and stop what they host in one at a time.',
  titles: {
    restart: (count: number) => `Restart ${runtimes(count)}?`,
    level: 'Set a log level',
    remove: (count: number) => `Remove ${runtimes(count)}?`,
  },
  abouts: {
    restart:
      'Each finishes what it has in hand, then its process ends for its supervisor to start it, or executes itself anew. Until then it answers nothing. They are asked a few at a time.',
    level:
      'A level holds for all runtimes of an integration in an environment, those that are not selected and those that come later too.',
    remove: 'They leave the lists, with the history of their commands.',
  },
  submits: {
    restart: (count: number) => `Restart ${count}`,
    level: (level: string) => `Set ${level}`,
    remove: (count: number) => `Remove ${count}`,
  },
  touches: 'It touches',
  nothing: 'There is nothing to touch.',
  inEnvironment: (count: number, environment: string) => `${runtimes(count)} in ${environment}`,
  inPlace: (selected: number, total: number | undefined) =>
    total === undefined ? `${selected} selected` : `${runtimes(total)} there, ${selected} selected`,
  names: (names: string, more: number) => (more > 0 ? `${names} and ${more} more` : names),
  leftOut: (count: number) => (count === 1 ? '1 is left out' : `${count} are left out`),
  live: (count: number) =>
    count === 1
      ? '1 of them still reports: it comes back with its next heartbeat, unless its secret goes too.'
      : `${count} of them still report: they come back with their next heartbeat, unless their secrets go too.`,
  secrets: 'Also revoke the secrets that no other runtime uses',
  secretsAbout: 'Their material is destroyed; this cannot be undone.',
  readingRights: 'Looking what you may do there…',
  progress: {
    titles: {
      restart: (count: number) => `Restart of ${runtimes(count)}`,
      level: (logger: string, level: string) => `Level ${level} for ${logger}`,
      remove: (count: number) => `Removal of ${runtimes(count)}`,
    },
    about: 'Each step as it is told by the runtimes. It goes on when this is closed.',
    states: {
      WAITING: 'To be asked',
      SENDING: 'Asking',
      REFUSED: 'Refused',
      DONE: 'Done',
      STOPPED: 'Not asked',
    },
    waiting: 'Its turn comes when those before it are asked.',
    sending: 'The control plane is being asked.',
    stopped: 'It was stopped before this one was asked.',
    removed: 'It is removed.',
    removedRevoked: (keyId: string) => `It is removed, and its secret \`${keyId}\` is revoked.`,
    orphaned: (keyId: string) => `It is removed. No runtime uses its secret \`${keyId}\` now.`,
    asked: (asked: number, waiting: number) =>
      [
        asked === 0 ? 'None that runs has to change.' : `${runtimes(asked)} asked.`,
        ...(waiting === 0 ? [] : [`${waiting} not running: asked when back.`]),
      ].join(' '),
    counts: (ended: number, total: number, bad: number) =>
      `${ended} of ${total} done${bad > 0 ? `, ${bad} failed` : ''}`,
    under: (title: string, counts: string) => `${title}: ${counts}`,
    stop: 'Ask no more of them',
    again: 'Try again',
    againAll: (count: number) => `Try ${count} again`,
    againLabel: (name: string) => `Try again: ${name}`,
    show: 'Show progress',
    dismiss: 'Put away',
  },
} as const
