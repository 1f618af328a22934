import './app.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { sessionEnded } from './api/ended'
import { asProblem } from './api/problem'
import { forget, viewerQuery } from './api/queries'
import { whenPasswordDue, whenSignedOut } from './api/request'
import { plan } from './api/session'
import { loadPage, makeRouter, setRouter } from './routes'
import { PATH, to } from './util/paths'

if (import.meta.env.MODE === 'mock') {
  const { startMock } = await import('../mock/browser')
  await startMock()
}

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // What the API refused it refuses again; only an unreachable server is asked once more.
      retry: (count, error) => asProblem(error).status === 0 && count < 1,
    },
  },
})
const router = makeRouter(client)
setRouter(router)
loadPage(router)

whenSignedOut(() => {
  if (router.state.location.pathname === PATH.signIn) return
  // Who was in signs in over the page, which stays as it is; who comes anew is only asked who they are.
  if (client.getQueryData(viewerQuery.queryKey) !== undefined) sessionEnded()
  else void router.navigate(to.signIn(router.state.location.href)).then(() => forget(client))
})
whenPasswordDue(() => {
  if (router.state.location.pathname === PATH.password) return
  void router.navigate(to.password(router.state.location.href)).then(() => forget(client))
})
plan()
// Tabs that slept, and tabs whose neighbour renewed, plan anew.
document.addEventListener('visibilitychange', () => !document.hidden && plan())
globalThis.addEventListener('storage', () => plan())

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  )
}
