// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { makeRouter, setRouter } from '@/routes'
import { API } from '@/util/paths'
import { Db } from '../../mock/db'
import { makeMock } from '../../mock/handlers'

let signedIn = true
const server = setupServer()

beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
beforeEach(() => {
  signedIn = true
  const session = {
    get: () => signedIn,
    set: (value: boolean) => {
      signedIn = value
    },
  }
  server.resetHandlers(...makeMock(new Db(), session).handlers)
})
afterEach(cleanup)
afterAll(() => server.close())

function open(address: string) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  const router = makeRouter(client)
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: [address] }) })
  setRouter(router)
  render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  )
  return router
}

test('without a session every address leads to the sign-in, which keeps it', async () => {
  signedIn = false
  const router = open('/secrets?environment=dev')
  await screen.findByRole('heading', { name: 'Sign in to Pilothouse' })
  expect(router.state.location.search).toEqual({ to: '/secrets?environment=dev' })
})

test('a refused sign-in says why and keeps what was typed', async () => {
  signedIn = false
  open('/sign-in')
  const username = await screen.findByLabelText<HTMLInputElement>('Username')
  fireEvent.change(username, { target: { value: 'ada' } })
  fireEvent.change(screen.getByLabelText('Password'), { target: { value: 'wrong' } })
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await screen.findByText(/Username or password is wrong/)
  expect(username.value).toBe('ada')
})

test('a failing server is not shown as an empty list, and can be asked again', async () => {
  server.use(
    http.post(API.graphql, async ({ request }) => {
      const { query } = (await request.clone().json()) as { query: string }
      if (!query.includes('query Projects')) return undefined
      const error = { message: 'The database did not answer.', extensions: { code: 'UNAVAILABLE' } }
      return HttpResponse.json({ errors: [error] })
    }),
  )
  open('/projects')
  await screen.findByText('Could not load the projects')
  expect(screen.queryByText('There is no project yet')).toBeNull()
  expect(screen.getByText(/The database did not answer/)).toBeTruthy()
  fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
})

test('an unknown address, project and runtime are "not found" with ways out', async () => {
  for (const [address, heading] of [
    ['/nowhere', 'There is no page at this address'],
    ['/projects/none', 'There is no such project'],
    ['/runtimes/none', 'There is no such runtime'],
  ]) {
    open(address ?? '')
    await screen.findByRole('heading', { name: heading ?? '' })
    expect(screen.getAllByRole('link', { name: 'Overview' }).length).toBeGreaterThan(0)
    cleanup()
  }
})

test('a form keeps its values when the API fails', async () => {
  open('/projects?create=true')
  const name = await screen.findByLabelText<HTMLInputElement>('Display name')
  fireEvent.change(name, { target: { value: 'Broken' } })
  const buttons = screen.getAllByRole('button', { name: 'Create project' })
  fireEvent.click(buttons.at(-1) as HTMLElement)
  await screen.findByText(/The database did not answer/)
  expect(name.value).toBe('Broken')
  expect(screen.getByLabelText<HTMLInputElement>('Handle').value).toBe('broken')
})
