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
import { asProblem } from './api/problem'
import { viewerQuery } from './api/queries'
import { Shell } from './shell/shell'
import { shell as words } from './strings/shell'
import { Announcer } from './ui/announcer'
import { Notices } from './ui/notices'
import { Failed, Missing } from './ui/states'
import { TipLayer } from './ui/tip'
import { PATH, to } from './util/paths'
import * as search from './util/search'

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: () => (
    <>
      <Outlet />
      <Notices />
      <Announcer />
      <TipLayer />
    </>
  ),
})

const signIn = createRoute({
  getParentRoute: () => root,
  path: PATH.signIn,
  validateSearch: search.signIn,
  component: lazyRouteComponent(() => import('./pages/sign-in'), 'SignInPage'),
})

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.client.ensureQueryData(viewerQuery)
    } catch (error) {
      if (asProblem(error).notSignedIn) throw redirect(to.signIn(location.href))
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
  createRoute({ ...page, path: PATH.anywhere, component: () => <Missing /> }),
] as const

export const makeRouter = (client: QueryClient) =>
  createRouter({
    routeTree: root.addChildren([signIn, shell.addChildren(pages)]),
    context: { client },
    defaultPreload: 'intent',
    defaultErrorComponent: Broken,
    defaultNotFoundComponent: () => <Missing />,
    scrollRestoration: true,
  })

export type Router = ReturnType<typeof makeRouter>
let router: Router

export function setRouter(made: Router): void {
  router = made
}

declare module '@tanstack/react-router' {
  interface Register {
    router: Router
  }
}
