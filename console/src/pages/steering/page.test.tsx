// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { makeRouter, setRouter } from '@/routes'
import { API } from '@/util/paths'
import { Db } from '../../../mock/db'
import { makeMock } from '../../../mock/handlers'

// Tests pick requests by their text, which a digest does not tell.
vi.mock('@/api/persisted', () => ({
  NOT_KNOWN: '',
  digestOf: async () => undefined,
  bodyOf: async (query: string, variables: unknown) => ({ query, variables }),
}))

let db: Db
let username = 'admin'
const server = setupServer()

// Pages and dialogs are loaded when they are first shown: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 60_000 })
configure({ asyncUtilTimeout: 15_000 })

beforeAll(async () => {
  server.listen({ onUnhandledRequest: 'error' })
  // Pages are loaded when they are first shown: on a busy machine that takes longer than a test waits.
  await Promise.all([import('./index'), import('../runtime/index'), import('../secrets/index')])
})
beforeEach(() => {
  username = 'admin'
  db = new Db()
  server.resetHandlers(...makeMock(db, { get: () => username, set: () => undefined }).handlers)
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
}

/** Answers requests that hold this text instead of the mock. */
function answer(part: string, body: object) {
  server.use(
    http.post(API.graphql, async ({ request }) => {
      const { query } = (await request.clone().json()) as { query: string }
      return query.includes(part) ? HttpResponse.json(body) : undefined
    }),
  )
}

const DEV = '/projects/order-service/integrations/order-create/steering?environment=dev'
const REFUSED = { errors: [{ message: 'The database did not answer.', extensions: { code: 'UNAVAILABLE' } }] }

test('what could not be read is not shown as nothing to steer', async () => {
  answer('query Steering', REFUSED)
  open(DEV)
  await screen.findByText('Could not load what can be steered')
  expect(screen.queryByText('Its runtimes report nothing that can be steered')).toBeNull()
  expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy()
})

test('an integration that does not exist is not found', async () => {
  open('/projects/order-service/integrations/none/steering')
  await screen.findByRole('heading', { name: 'There is no such integration' })
})

test('a refused change is told where it was asked, and the switch stays as observed', async () => {
  answer('mutation ChangeArtifact', {
    errors: [{ message: 'Two artifacts bear this name.', extensions: { code: 'AMBIGUOUS', fix: 'Name its package.' } }],
  })
  open(DEV)
  const toggle = await screen.findByRole('switch', { name: 'Listener admin: State' })
  fireEvent.click(toggle)
  const question = await screen.findByRole('group', { name: /^Stop admin on 2 running runtimes/ })
  fireEvent.click(within(question).getByRole('button', { name: 'Stop' }))
  await within(question).findByText(/Two artifacts bear this name/)
  expect(toggle.getAttribute('aria-checked')).toBe('true')
})

test('who may not change anything sees everything, and is told the permission that is missing', async () => {
  username = 'vera'
  open(DEV)
  const toggle = await screen.findByRole('switch', { name: 'Listener http: State' })
  expect(toggle.getAttribute('aria-disabled')).toBe('true')
  expect(toggle.dataset.tip).toMatch(/integration_mgt:edit/)
  fireEvent.click(toggle)
  expect(screen.queryByRole('group', { name: /^Stop http/ })).toBeNull()
})

test('a wish for a logger that is not listed is asked for by name', async () => {
  open(`${DEV}&kind=LOGGER`)
  fireEvent.click(await screen.findByRole('button', { name: 'Another logger' }))
  const dialog = await screen.findByRole('dialog', { name: 'Another logger' })
  fireEvent.change(within(dialog).getByLabelText('Logger'), { target: { value: 'my_app.new ' } })
  fireEvent.click(within(dialog).getByRole('button', { name: 'Set DEBUG' }))
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  await screen.findByRole('heading', { level: 3, name: 'my_app.new' })
  expect(db.desk.wishes.at(-1)).toMatchObject({ kind: 'LOGGER', name: 'my_app.new', value: 'DEBUG', aspect: 'LEVEL' })
})

test('loggers whose output a handler hides say so on the page of the runtime', async () => {
  open('/runtimes/rt-order-create-dev-1')
  const levels = within(await screen.findByRole('region', { name: 'Log levels' }))
  expect(levels.getAllByText('hidden below WARN')).toHaveLength(6)
  expect(levels.getByText(/lets only WARN and above through/)).toBeTruthy()
})

test('one secret that could not be read says so in its panel', async () => {
  answer('query Secret(', REFUSED)
  open('/secrets?secret=kp3v8n1t')
  const panel = await screen.findByRole('dialog', { name: 'Secret kp3v8n1t' })
  await within(panel).findByText('Could not load this secret')
})
