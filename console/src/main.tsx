import './app.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { asProblem } from './api/problem'
import { whenSignedOut } from './api/request'
import { makeRouter, setRouter } from './routes'
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

whenSignedOut(() => {
  if (router.state.location.pathname === PATH.signIn) return
  const target = router.state.location.href
  void router.navigate(to.signIn(target)).then(() => client.clear())
})

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
