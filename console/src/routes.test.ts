import { QueryClient } from '@tanstack/react-query'
import { createMemoryHistory } from '@tanstack/react-router'
import { expect, test, vi } from 'vitest'
import { loadPage, makeRouter } from './routes'
import { PATH } from './util/paths'

test('the script of a page is asked for while it is not yet known who looks at it', () => {
  const router = makeRouter(new QueryClient())
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: ['/runtimes?search=orders'] }) })
  const load = vi.spyOn(router, 'loadRouteChunk').mockRejectedValue(new Error('offline'))
  loadPage(router)
  expect(load.mock.calls.map(([route]) => route.fullPath)).toContain(PATH.runtimes)
  expect(load.mock.calls.map(([route]) => route.fullPath)).not.toContain(PATH.runtime)
})
