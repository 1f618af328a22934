import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { useSyncExternalStore } from 'react'
import { isSessionEnded, watchSession } from './api/ended'
import { asProblem } from './api/problem'
import { viewerQuery } from './api/queries'
import { Shell } from './shell/shell'
import { shell as words } from './strings/shell'
import { Announcer } from './ui/announcer'
import { Notices } from './ui/notices'
import { Failed, Missing } from './ui/states'
import { TipLayer } from './ui/tip'
import { lazily } from './util/lazily'
import { PATH, to } from './util/paths'
import { remembersFor } from './util/recent'
import * as search from './util/search'

const SessionEnded = lazily(async () => (await import('./pages/account/ended')).SessionEnded)

/** Nobody sees it before a session ended. */
function Ended() {
  return useSyncExternalStore(watchSession, isSessionEnded) && <SessionEnded />
}

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: () => (
    <>
      <Outlet />
      <Notices />
      <Announcer />
      <TipLayer />
      <Ended />
    </>
  ),
})

const signIn = createRoute({
  getParentRoute: () => root,
  path: PATH.signIn,
  validateSearch: search.signIn,
  component: lazyRouteComponent(() => import('./pages/sign-in'), 'SignInPage'),
})

const password = createRoute({
  getParentRoute: () => root,
  path: PATH.password,
  validateSearch: search.signIn,
  component: lazyRouteComponent(() => import('./pages/account/password-page'), 'PasswordPage'),
})

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      const { viewer } = await context.client.ensureQueryData(viewerQuery)
      remembersFor(viewer.username)
    } catch (error) {
      const problem = asProblem(error)
      if (problem.notSignedIn) throw redirect(to.signIn(location.href))
      if (problem.code === 'PASSWORD_CHANGE_REQUIRED') throw redirect(to.password(location.href))
      throw error
    }
  },
  errorComponent: Broken,
})

function Broken({ error, reset }: ErrorComponentProps) {
  return (
    <div className="mx-auto mt-16 max-w-xl rounded-lg border border-line bg-surface">
      <Failed
        title={words.failed}
        error={error}
        onRetry={() => {
          void router.invalidate()
          reset()
        }}
      />
    </div>
  )
}

const page = { getParentRoute: () => shell } as const

const pages = [
  createRoute({
    ...page,
    path: PATH.home,
    component: lazyRouteComponent(() => import('./pages/home/index'), 'HomePage'),
  }),
  createRoute({
    ...page,
    path: PATH.drift,
    validateSearch: search.drift,
    component: lazyRouteComponent(() => import('./pages/drift/index'), 'DriftPage'),
  }),
  createRoute({
    ...page,
    path: PATH.runtimes,
    validateSearch: search.runtimes,
    component: lazyRouteComponent(() => import('./pages/runtimes/index'), 'OrganizationRuntimesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.runtime,
    validateSearch: search.runtime,
    component: lazyRouteComponent(() => import('./pages/runtime/index'), 'RuntimePage'),
  }),
  createRoute({
    ...page,
    path: PATH.projects,
    validateSearch: search.list,
    component: lazyRouteComponent(() => import('./pages/projects'), 'ProjectsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.project,
    validateSearch: search.list,
    component: lazyRouteComponent(() => import('./pages/project'), 'ProjectPage'),
  }),
  createRoute({
    ...page,
    path: PATH.projectRuntimes,
    validateSearch: search.runtimes,
    component: lazyRouteComponent(() => import('./pages/runtimes/index'), 'ProjectRuntimesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integration,
    validateSearch: search.list,
    component: lazyRouteComponent(() => import('./pages/integration'), 'IntegrationPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationRuntimes,
    validateSearch: search.runtimes,
    component: lazyRouteComponent(() => import('./pages/runtimes/index'), 'IntegrationRuntimesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationSteering,
    validateSearch: search.steering,
    component: lazyRouteComponent(() => import('./pages/steering/index'), 'SteeringPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationSecrets,
    validateSearch: search.secrets,
    component: lazyRouteComponent(() => import('./pages/secrets/index'), 'IntegrationSecretsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.environments,
    validateSearch: search.list,
    component: lazyRouteComponent(() => import('./pages/environments'), 'EnvironmentsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.secrets,
    validateSearch: search.secrets,
    component: lazyRouteComponent(() => import('./pages/secrets/index'), 'OrganizationSecretsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationArtifacts,
    validateSearch: search.merged,
    component: lazyRouteComponent(() => import('./pages/merged/index'), 'MergedPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationTryIt,
    validateSearch: search.tryIt,
    component: lazyRouteComponent(() => import('./pages/try-it/index'), 'TryItPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationEvents,
    validateSearch: search.events,
    component: lazyRouteComponent(() => import('./pages/events/index'), 'IntegrationEventsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.runtimeEvents,
    validateSearch: search.events,
    component: lazyRouteComponent(() => import('./pages/events/index'), 'RuntimeEventsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.events,
    validateSearch: search.events,
    component: lazyRouteComponent(() => import('./pages/events/index'), 'EventsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.logs,
    validateSearch: search.logs,
    component: lazyRouteComponent(() => import('./pages/logs/index'), 'LogsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationLogs,
    validateSearch: search.logs,
    component: lazyRouteComponent(() => import('./pages/logs/index'), 'IntegrationLogsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.alerts,
    validateSearch: search.alerts,
    component: lazyRouteComponent(() => import('./pages/alerts/index'), 'AlertsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.alertRules,
    validateSearch: search.alertRules,
    component: lazyRouteComponent(() => import('./pages/alerts/rules'), 'AlertRulesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.alertChannels,
    validateSearch: search.alertChannels,
    component: lazyRouteComponent(() => import('./pages/alerts/channels'), 'AlertChannelsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.alertSilences,
    validateSearch: search.alertSilences,
    component: lazyRouteComponent(() => import('./pages/alerts/silences'), 'AlertSilencesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.metrics,
    validateSearch: search.metrics,
    component: lazyRouteComponent(() => import('./pages/metrics/index'), 'MetricsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationMetrics,
    validateSearch: search.metrics,
    component: lazyRouteComponent(() => import('./pages/metrics/index'), 'IntegrationMetricsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.traces,
    validateSearch: search.traces,
    component: lazyRouteComponent(() => import('./pages/traces/index'), 'TracesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.traceMap,
    validateSearch: search.traces,
    component: lazyRouteComponent(() => import('./pages/traces/map'), 'TraceMapPage'),
  }),
  createRoute({
    ...page,
    path: PATH.trace,
    validateSearch: search.trace,
    component: lazyRouteComponent(() => import('./pages/traces/trace'), 'TracePage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationTraces,
    validateSearch: search.traces,
    component: lazyRouteComponent(() => import('./pages/traces/index'), 'IntegrationTracesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.integrationTraceMap,
    validateSearch: search.traces,
    component: lazyRouteComponent(() => import('./pages/traces/map'), 'IntegrationTraceMapPage'),
  }),
  createRoute({
    ...page,
    path: PATH.audit,
    validateSearch: search.audit,
    component: lazyRouteComponent(() => import('./pages/audit/index'), 'AuditPage'),
  }),
  createRoute({
    ...page,
    path: PATH.about,
    component: lazyRouteComponent(() => import('./pages/about/index'), 'AboutPage'),
  }),
  createRoute({
    ...page,
    path: PATH.settings,
    validateSearch: search.settings,
    component: lazyRouteComponent(() => import('./pages/settings/index'), 'SettingsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.profile,
    component: lazyRouteComponent(() => import('./pages/account/profile'), 'ProfilePage'),
  }),
  createRoute({
    ...page,
    path: PATH.device,
    validateSearch: search.device,
    component: lazyRouteComponent(() => import('./pages/account/device'), 'DevicePage'),
  }),
  createRoute({
    ...page,
    path: PATH.users,
    validateSearch: search.users,
    component: lazyRouteComponent(() => import('./pages/access/users'), 'UsersPage'),
  }),
  createRoute({
    ...page,
    path: PATH.user,
    component: lazyRouteComponent(() => import('./pages/access/user'), 'UserPage'),
  }),
  createRoute({
    ...page,
    path: PATH.groups,
    validateSearch: search.list,
    component: lazyRouteComponent(() => import('./pages/access/groups'), 'GroupsPage'),
  }),
  createRoute({
    ...page,
    path: PATH.group,
    validateSearch: search.members,
    component: lazyRouteComponent(() => import('./pages/access/group'), 'GroupPage'),
  }),
  createRoute({
    ...page,
    path: PATH.roles,
    validateSearch: search.roles,
    component: lazyRouteComponent(() => import('./pages/access/roles'), 'RolesPage'),
  }),
  createRoute({
    ...page,
    path: PATH.role,
    component: lazyRouteComponent(() => import('./pages/access/role'), 'RolePage'),
  }),
  createRoute({
    ...page,
    path: PATH.sso,
    validateSearch: search.list,
    component: lazyRouteComponent(() => import('./pages/access/sso'), 'SsoPage'),
  }),
  createRoute({
    ...page,
    path: PATH.whoMay,
    validateSearch: search.whoMay,
    component: lazyRouteComponent(() => import('./pages/access/who-may'), 'WhoMayPage'),
  }),
  createRoute({ ...page, path: PATH.anywhere, component: () => <Missing /> }),
] as const

export const makeRouter = (client: QueryClient) =>
  createRouter({
    routeTree: root.addChildren([signIn, password, shell.addChildren(pages)]),
    context: { client },
    defaultPreload: 'intent',
    defaultErrorComponent: Broken,
    defaultNotFoundComponent: () => <Missing />,
    scrollRestoration: true,
  })

export type Router = ReturnType<typeof makeRouter>

/** Asks for the script of the page at the address at once: the router itself would first ask who looks at it. */
export function loadPage(router: Router): void {
  const matches: { routeId: keyof Router['routesById'] }[] = router.matchRoutes(router.latestLocation)
  for (const { routeId } of matches) {
    // What fails here is asked for again, and told, when the page is shown.
    router.loadRouteChunk(router.routesById[routeId])?.catch(() => undefined)
  }
}

let router: Router

export function setRouter(made: Router): void {
  router = made
}

declare module '@tanstack/react-router' {
  interface Register {
    router: Router
  }
}
