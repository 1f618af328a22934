export const home = {
  title: 'Overview',
  what: 'the organization',
  counts: { projects: 'Projects', integrations: 'Integrations', runtimes: 'Runtimes', environments: 'Environments' },
  notWell: 'What is not well',
  notWellWhat: 'what is not well',
  allWell: (count: number) =>
    count === 1 ? 'The one runtime reports in time' : `All ${count} runtimes report in time`,
  allWellText:
    'Silent runtimes, alerts, stalled changes and refused heartbeats would be listed here, each with its reason.',
  nothingYet: 'No runtime reports yet',
  nothingYetText: 'Connect the first one: generate a secret, put the shown Config.toml beside the program, start it.',
  seeAll: 'All runtimes',
  partial: (seen: number) =>
    `Every silent runtime is counted. For warnings and stalled changes the first ${seen} running ones were looked at.`,
  rest: (count: number) => `${count} more`,
  steps: {
    silence: 'Log lines before the silence',
    events: 'Events',
    commands: 'Its commands',
    steer: 'Steer',
    refusals: 'Causes and fixes',
    alert: 'The alert',
  },
  stepOf: (step: string, name: string) => `${step}: ${name}`,
  telemetry: 'Telemetry',
  telemetryText: 'Logs, metrics and traces',
  byEnvironment: 'Environments',
  allEnvironments: 'All environments',
  refusals: 'Refused heartbeats',
  refused: 'Refused',
}

export const projects = {
  title: 'Projects',
  what: 'the projects',
  search: 'Search projects',
  create: 'Create project',
  created: (name: string) => `Project ${name} is created.`,
  noRuntimes: 'no runtimes',
  columns: {
    name: 'Project',
    handle: 'Handle',
    integrations: 'Integrations',
    runtimes: 'Runtimes',
    age: 'Age',
    by: 'Created by',
  },
  emptyTitle: 'There is no project yet',
  emptyText: 'A project groups integrations that belong together, such as everything around orders.',
}

export const project = {
  what: 'this project',
  integrations: 'Integrations',
  integrationsWhat: 'the integrations',
  search: 'Search integrations',
  create: 'Create integration',
  created: (name: string) => `Integration ${name} is created.`,
  columns: { name: 'Integration', handle: 'Handle', type: 'Type', runtimes: 'Runtimes', age: 'Age', by: 'Created by' },
  emptyTitle: (name: string) => `${name} has no integration yet`,
  emptyText:
    'An integration is one deployable program. Create it here, or let the first heartbeat of a runtime that names it do so.',
}

export const integration = {
  what: 'this integration',
  health: 'Runtimes by environment',
  about: 'About',
  runtimes: 'Open runtimes',
  steering: 'Steer',
  moreReplicas: (count: number) => (count === 1 ? '1 more runtime' : `${count} more runtimes`),
  sync: 'As wanted',
  syncWhat: 'what is wanted',
  alike: 'all host the same',
  unlike: (count: number) =>
    count === 1 ? '1 artifact differs between them' : `${count} artifacts differ between them`,
  asWanted: 'all as asked',
  notAsWanted: (count: number) =>
    count === 1 ? '1 is not as asked, or not the same' : `${count} are not as asked, or not the same`,
  moreDiffering: (count: number) => `${count} more`,
  missingOn: (count: number) => (count === 1 ? 'missing on 1 runtime' : `missing on ${count} runtimes`),
  wanted: 'Asked:',
  wantedBy: (author: string) => `by ${author}`,
  nothingWanted: 'Nothing is asked; they differ.',
  secrets: 'Secrets',
  facts: {
    handle: 'Handle',
    project: 'Project',
    type: 'Type',
    created: 'Created',
    by: 'Created by',
    description: 'Description',
  },
}

export const environments = {
  title: 'Environments',
  what: 'the environments',
  create: 'Create environment',
  created: (name: string) => `Environment ${name} is created.`,
  noRuntimes: 'no runtimes',
  columns: { name: 'Environment', handle: 'Handle', runtimes: 'Runtimes', age: 'Age', actions: 'Actions' },
  emptyTitle: 'There is no environment yet',
  emptyText: 'An environment is where runtimes run: dev, staging, prod. Secrets belong to one.',
}

export const form = {
  displayName: 'Display name',
  needName: 'Enter a display name.',
  handle: 'Handle',
  handleHint: 'Used in addresses and in Config.toml; it stays as it is. Lower-case letters, digits and single dashes.',
  needHandle: 'Enter a handle.',
  badHandle: 'Use lower-case letters, digits and single dashes, 1 to 64.',
  checking: 'Checking…',
  free: 'This handle is free.',
  couldNotCheck: 'Could not check whether it is free; it is checked again when you create.',
  take: (handle: string) => `Use ${handle}`,
  description: 'Description',
  optional: 'Optional.',
  creating: 'Creating…',
  type: 'Runtime type',
  types: {
    PY: ['Python', 'Any Python program that includes the bridge: FastAPI, Flask, gRPC, consumers, schedules.'],
    BI: ['WSO2 Integrator: BI', 'A Ballerina program with the runtime bridge.'],
    MI: ['WSO2 Micro Integrator', 'Synapse configurations: APIs, proxies, sequences.'],
  },
  critical: 'Critical',
  criticalHint:
    'For production. What touches a critical environment is confirmed by typing its name, and may need a further permission.',
} as const
