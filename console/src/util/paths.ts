import { linkOptions } from '@tanstack/react-router'
import type { SteeringSearch } from './search'

/** Every address of the console; nothing else writes one. */
export const PATH = {
  signIn: '/sign-in',
  home: '/',
  runtimes: '/runtimes',
  runtime: '/runtimes/$runtimeId',
  projects: '/projects',
  project: '/projects/$project',
  projectRuntimes: '/projects/$project/runtimes',
  integration: '/projects/$project/integrations/$integration',
  integrationRuntimes: '/projects/$project/integrations/$integration/runtimes',
  integrationSteering: '/projects/$project/integrations/$integration/steering',
  integrationSecrets: '/projects/$project/integrations/$integration/secrets',
  environments: '/environments',
  secrets: '/secrets',
  anywhere: '$',
} as const

/** Addresses of the API, on the same origin. */
export const API = {
  graphql: '/graphql',
  signIn: '/auth/sign-in',
  signOut: '/auth/sign-out',
} as const

export const to = {
  home: () => linkOptions({ to: PATH.home }),
  runtimes: (environment?: string) => linkOptions({ to: PATH.runtimes, search: environment ? { environment } : {} }),
  addRuntime: () => linkOptions({ to: PATH.runtimes, search: { add: '' } }),
  refusals: () => linkOptions({ to: PATH.runtimes, search: { refusals: true } }),
  runtime: (runtimeId: string) => linkOptions({ to: PATH.runtime, params: { runtimeId } }),
  projects: () => linkOptions({ to: PATH.projects }),
  createProject: () => linkOptions({ to: PATH.projects, search: { create: true } }),
  project: (project: string) => linkOptions({ to: PATH.project, params: { project } }),
  projectRuntimes: (project: string) => linkOptions({ to: PATH.projectRuntimes, params: { project } }),
  integration: (project: string, integration: string) =>
    linkOptions({ to: PATH.integration, params: { project, integration } }),
  integrationRuntimes: (project: string, integration: string) =>
    linkOptions({ to: PATH.integrationRuntimes, params: { project, integration } }),
  steering: (project: string, integration: string, search: SteeringSearch = {}) =>
    linkOptions({ to: PATH.integrationSteering, params: { project, integration }, search }),
  integrationSecrets: (project: string, integration: string) =>
    linkOptions({ to: PATH.integrationSecrets, params: { project, integration } }),
  environments: () => linkOptions({ to: PATH.environments }),
  createEnvironment: () => linkOptions({ to: PATH.environments, search: { create: true } }),
  secrets: () => linkOptions({ to: PATH.secrets }),
  secret: (secret: string) => linkOptions({ to: PATH.secrets, search: { secret } }),
  signIn: (target: string) => linkOptions({ to: PATH.signIn, search: target === PATH.home ? {} : { to: target } }),
}

/** A target after sign-in is an address of this console and nothing else: no other host, no script. */
export function safeTarget(target: string | undefined): string {
  if (!target?.startsWith('/') || /^\/[/\\]/.test(target) || target.startsWith(PATH.signIn)) return PATH.home
  return target
}
