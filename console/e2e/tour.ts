import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import type { PATH } from '../src/util/paths'

/** A page of the console that a person can come to; what is left is whatever has no page. */
export type PageName = Exclude<keyof typeof PATH, 'anywhere'>

export type Stop = {
  /** As the documentation calls it. */
  title: string
  /** What a person learns or does there, in one sentence. */
  answers: string
  /** An address of it in the demo. */
  address: string
  /** A text that is there once everything has been read. */
  ready: string
  /** Whose eyes see it; the Super Admin's unless told, nobody's when empty. */
  as?: string
  prepare?: (page: Page) => Promise<void>
  /** Its picture in the documentation is what the console is held to. */
  held?: true
}

const ORDERS = '/projects/order-service/integrations/order-create'
const SYNC = '/projects/billing/integrations/invoice-sync'

/** Every page there is, once. A page without a stop fails the check of types, and a stop without a route a test. */
export const TOUR: Record<PageName, Stop> = {
  signIn: {
    title: 'Sign-in',
    answers: 'By password or single sign-on; it leads on to where one was going.',
    address: '/sign-in',
    ready: 'Sign in to Pilothouse',
    as: '',
    held: true,
  },
  password: {
    title: 'A password of one’s own',
    answers: 'What a first password demands before anything else is open.',
    address: '/password',
    ready: 'Choose a password of your own',
    as: 'otto',
  },
  home: {
    title: 'Overview',
    answers: 'What is not well, why, and what to do next; counts that lead to the filtered lists.',
    address: '/',
    ready: 'What is not well',
    held: true,
  },
  drift: {
    title: 'Drift',
    answers:
      'Which integrations are not as wanted: copies that differ, artifacts that failed, changes not carried out.',
    address: '/drift',
    ready: 'Not carried out',
  },
  runtimes: {
    title: 'Runtimes',
    answers: 'Every runtime by environment, live, with its status, the reason and since when.',
    address: '/runtimes',
    ready: 'crm-bridge-dev-1',
    held: true,
  },
  runtime: {
    title: 'A runtime',
    answers: 'What it hosts, its log levels, commands, process and identity.',
    address: '/runtimes/rt-order-create-prod-1',
    ready: 'app/routes/orders.py:31',
    held: true,
  },
  runtimeEvents: {
    title: 'Events of a runtime',
    answers: 'What happened to it, the newest first.',
    address: '/runtimes/rt-order-create-prod-1/events',
    ready: 'runtime.registered',
  },
  projects: {
    title: 'Projects',
    answers: 'The projects with their integrations and runtimes counted by status.',
    address: '/projects',
    ready: 'Customer 360',
    held: true,
  },
  project: {
    title: 'A project',
    answers: 'Its integrations, each with the state of its runtimes.',
    address: '/projects/billing',
    ready: 'Invoice Sync',
  },
  projectRuntimes: {
    title: 'Runtimes of a project',
    answers: 'The same list, of one project.',
    address: '/projects/billing/runtimes',
    ready: 'dunning-dev-1',
  },
  integration: {
    title: 'An integration',
    answers: 'Its environments beside each other, with runtimes and what is not as wanted.',
    address: ORDERS,
    ready: 'Runtimes by environment',
    held: true,
  },
  integrationRuntimes: {
    title: 'Runtimes of an integration',
    answers: 'The same list, of one integration.',
    address: '/projects/billing/integrations/dunning/runtimes',
    ready: 'dunning-dev-1',
  },
  integrationSteering: {
    title: 'Steering',
    answers: 'What can be told to an integration in one environment, and what became of it.',
    address: `${ORDERS}/steering?environment=prod`,
    ready: 'nightly-report',
    held: true,
  },
  integrationArtifacts: {
    title: 'Artifacts',
    answers: 'What the replicas host, merged, with who hosts it and what differs.',
    address: '/projects/order-service/integrations/order-status/artifacts?environment=prod',
    ready: 'Hosted by',
  },
  integrationTryIt: {
    title: 'Try-It',
    answers: 'A request to a service, composed from its OpenAPI definition and sent through the control plane.',
    address: `${ORDERS}/try-it?operation=POST+%2Forders`,
    ready: 'Place an order',
  },
  integrationSecrets: {
    title: 'Secrets of an integration',
    answers: 'The secrets that its runtimes prove themselves with.',
    address: '/projects/billing/integrations/dunning/secrets',
    ready: 'Revoke',
  },
  integrationEvents: {
    title: 'Events of an integration',
    answers: 'What happened to its runtimes, the newest first.',
    address: `${ORDERS}/events`,
    ready: 'runtime.registered',
  },
  integrationLogs: {
    title: 'Logs of an integration',
    answers: 'What its runtimes say.',
    address: `${ORDERS}/logs`,
    ready: 'Order 4711 accepted',
  },
  integrationMetrics: {
    title: 'Metrics of an integration',
    answers: 'Requests, failures and latency of it; environments can stand beside each other.',
    address: `${ORDERS}/metrics`,
    ready: 'Latency of what failed',
    prepare: charts,
  },
  integrationTraces: {
    title: 'Traces of an integration',
    answers: 'The requests that went through it.',
    address: `${SYNC}/traces`,
    ready: 'sync invoices',
  },
  integrationTraceMap: {
    title: 'Service map of an integration',
    answers: 'Whom it calls, and who calls it.',
    address: `${ORDERS}/traces/map`,
    ready: 'postgresql db.internal',
  },
  environments: {
    title: 'Environments',
    answers: 'The environments, which of them are critical, and what runs in each.',
    address: '/environments',
    ready: 'Staging',
    held: true,
  },
  secrets: {
    title: 'Secrets',
    answers: 'Every secret without its material: whose it is, when it was last used; rotate and revoke.',
    address: '/secrets',
    ready: 'Expires soon',
    held: true,
  },
  events: {
    title: 'Events',
    answers: 'What happened to runtimes, the newest first.',
    address: '/events',
    ready: 'runtime.registered',
  },
  logs: {
    title: 'Logs',
    answers: 'What programs say: search, levels over time, live tail, the lines around a line.',
    address: '/logs',
    ready: 'the card has expired',
    held: true,
  },
  metrics: {
    title: 'Metrics',
    answers: 'Requests, failures and latency over time, what is slowest and what fails most.',
    address: '/insights',
    ready: 'Latency of what failed',
    prepare: charts,
    held: true,
  },
  traces: {
    title: 'Traces',
    answers: 'Requests through all programs: which were slow, which failed.',
    address: '/traces',
    ready: 'sync invoices',
  },
  traceMap: {
    title: 'Service map',
    answers: 'Who calls whom, how often and with what failures.',
    address: '/traces/map',
    ready: 'postgresql db.internal',
  },
  trace: {
    title: 'A trace',
    answers: 'One request as a waterfall of spans, and where it failed.',
    address: '/traces/cafe0000cafe0000cafe0000cafe0000',
    ready: '17 spans left out',
  },
  alerts: {
    title: 'Alerts',
    answers: 'What fires, since when, who was told, and where to look.',
    address: '/alerts',
    ready: 'above 5 %',
    held: true,
  },
  alertRules: {
    title: 'Alert rules',
    answers: 'What is watched, and when somebody is told.',
    address: '/alerts/rules',
    ready: 'Cannot be judged',
  },
  alertChannels: {
    title: 'Alert channels',
    answers: 'Where alerts are sent to, with a test of each.',
    address: '/alerts/channels',
    ready: 'tickets.acme.example',
  },
  alertSilences: {
    title: 'Silences',
    answers: 'What nobody is told of for a while, and why.',
    address: '/alerts/silences?ended=true',
    ready: 'Load test',
  },
  audit: {
    title: 'Audit',
    answers: 'Who changed what, when and by whose right; before and after.',
    address: '/audit',
    ready: 'user:mallory',
    held: true,
  },
  about: {
    title: 'About',
    answers: 'Versions, processes that serve, database and store; the licence of every package.',
    address: '/about',
    ready: 'Packages of the console',
  },
  settings: {
    title: 'Settings',
    answers: 'What the control plane was told, and by what; never a secret.',
    address: '/settings',
    ready: 'PILOTHOUSE_HOME',
  },
  users: {
    title: 'Users',
    answers: 'People and service accounts.',
    address: '/access/users',
    ready: 'Grace Lee',
  },
  user: {
    title: 'A user',
    answers: 'Their groups, and what follows from them.',
    address: '/access/users/u-emil',
    ready: 'What they may do',
  },
  groups: {
    title: 'Groups',
    answers: 'Who belongs together.',
    address: '/access/groups',
    ready: 'Order Team',
  },
  group: {
    title: 'A group',
    answers: 'Its members, and the roles that it has, each with its place.',
    address: '/access/groups/g-orders',
    ready: 'Dora Meyer',
  },
  roles: {
    title: 'Roles',
    answers: 'Permissions under a name.',
    address: '/access/roles',
    ready: 'Night shift',
  },
  role: {
    title: 'A role',
    answers: 'The permissions that it contains, and what each of them means.',
    address: '/access/roles/r-dev',
    ready: 'integration_mgt:edit',
  },
  sso: {
    title: 'Single sign-on',
    answers: 'Which groups of the identity provider are which groups here.',
    address: '/access/sso',
    ready: 'platform-admins',
  },
  whoMay: {
    title: 'Who may do what',
    answers: 'Who holds a permission in a place, and through what.',
    address: '/access/who-may?project=billing',
    ready: 'Emil Novak',
  },
  profile: {
    title: 'Profile',
    answers: 'One’s own password, tokens, sessions, and what one may do.',
    address: '/profile',
    ready: 'nightly report',
  },
  device: {
    title: 'Sign-in of a command line',
    answers: 'Allows a command line to act as oneself.',
    address: '/device?userCode=BCDF-GHJK',
    ready: 'on build-7',
  },
}

async function charts(page: Page): Promise<void> {
  await page.locator('[data-charts] canvas').first().waitFor()
}

/** The routes that the console has, read from where they are made. */
export function routeNames(): string[] {
  const text = readFileSync(new URL('../src/routes.tsx', import.meta.url), 'utf8')
  return [...text.matchAll(/path: PATH\.(\w+)/g)].map((match) => match[1] ?? '').filter((name) => name !== 'anywhere')
}

/** `integrationTraceMap` → `integration-trace-map`: the name of its picture. */
export const fileName = (page: string) => page.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** Opens a page of the tour and waits until it shows what it should. */
export async function arrive(page: Page, stop: Stop): Promise<void> {
  await page.goto(stop.address)
  await page.getByText(stop.ready).first().waitFor()
  await stop.prepare?.(page)
  await page.waitForFunction(() => !document.querySelector('.breathe'))
}
