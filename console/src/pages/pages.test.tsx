// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, RouterProvider } from '@tanstack/react-router'
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { makeRouter, setRouter } from '@/routes'
import { API, to } from '@/util/paths'
import { Db } from '../../mock/db'
import { makeMock } from '../../mock/handlers'

// Tests pick requests by their text, which a digest does not tell.
vi.mock('@/api/persisted', () => ({
  NOT_KNOWN: '',
  digestOf: async () => undefined,
  bodyOf: async (query: string, variables: unknown) => ({ query, variables }),
}))

let signedIn = 'admin'
let db: Db
const server = setupServer()

// Pages and dialogs are loaded when they are first shown: on a busy machine that takes a while.
vi.setConfig({ testTimeout: 60_000 })
configure({ asyncUtilTimeout: 15_000 })

beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
beforeEach(() => {
  signedIn = 'admin'
  const session = {
    get: () => signedIn,
    set: (value: string) => {
      signedIn = value
    },
  }
  db = new Db()
  server.resetHandlers(...makeMock(db, session).handlers)
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
  signedIn = ''
  const router = open('/secrets?environment=dev')
  await screen.findByRole('heading', { name: 'Sign in to Pilothouse' })
  expect(router.state.location.search).toEqual({ to: '/secrets?environment=dev' })
})

test('a refused sign-in says why and keeps what was typed', async () => {
  signedIn = ''
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

test('what a silent runtime reported is shown as reported, without the colour of a known state', async () => {
  open('/runtimes/rt-dunning-dev-1')
  const line = await screen.findByText(/^As last reported/)
  expect(line.textContent).toMatch(/^As last reported, 1 h 31 min ago\. What it does now is not known\.$/)
  for (const state of screen.getAllByText('Enabled')) expect(state.className).not.toContain('text-ok')
  const levels = within(screen.getByRole('region', { name: 'Log levels' }))
  expect(levels.getByText('DEBUG').className).toContain('text-faint')
  cleanup()
  open('/runtimes/rt-crm-bridge-prod-1')
  await screen.findByText(/^As last reported/)
  cleanup()
  open('/runtimes/rt-order-create-prod-1')
  await screen.findByRole('heading', { level: 1, name: 'order-create-prod-1' })
  expect(screen.queryByText(/^As last reported/)).toBeNull()
  for (const state of screen.getAllByText('Enabled')) expect(state.className).toContain('text-ok')
})

test('what is not well names where it is, linked', async () => {
  open('/')
  const entry = (await screen.findByRole('link', { name: 'dunning-dev-1' })).closest('li')
  if (!entry) throw new Error('no entry')
  const links = within(entry)
    .getAllByRole('link')
    .map((link) => `${link.textContent} ${link.getAttribute('href')}`)
  expect(links).toEqual([
    'dunning-dev-1 /runtimes/rt-dunning-dev-1',
    'Billing /projects/billing',
    'Dunning /projects/billing/integrations/dunning',
    'Development /runtimes?environment=dev',
    expect.stringMatching(/^Log lines before the silence \/projects\/billing\/integrations\/dunning\/logs\?runtime=/),
    'Events /runtimes/rt-dunning-dev-1/events',
  ])
})

test('code in what the control plane says is set as code', async () => {
  open('/runtimes?refusals=true')
  const panel = await screen.findByRole('dialog', { name: 'Refused heartbeats' })
  expect((await within(panel).findByText('secret')).tagName).toBe('CODE')
  expect(panel.textContent).not.toContain('`')
})

test('a page of environments is followed by the next one', async () => {
  for (let number = db.environments.length; number < 60; number++) {
    db.environments.push({ handle: `e${number}`, displayName: `E ${number}`, critical: false, createdAt: db.startedAt })
  }
  open('/environments')
  await screen.findByText('50 of 60')
  expect(screen.queryByRole('link', { name: 'E 59' })).toBeNull()
  fireEvent.click(screen.getByRole('button', { name: 'Show more' }))
  await screen.findByRole('link', { name: 'E 59' })
  expect(screen.queryByRole('button', { name: 'Show more' })).toBeNull()
  cleanup()
  open('/runtimes')
  await screen.findByText('20 of 60')
  expect(screen.getAllByRole('region')).toHaveLength(20)
  fireEvent.click(screen.getByRole('button', { name: 'Show more' }))
  await screen.findByText('40 of 60')
})

test('while runtimes of an integration are read it is not said that there are none', async () => {
  // Nothing is laid out here, so nothing would ever come near.
  vi.stubGlobal(
    'IntersectionObserver',
    class {
      told: (seen: { isIntersecting: boolean }[]) => void
      constructor(told: (seen: { isIntersecting: boolean }[]) => void) {
        this.told = told
      }
      observe() {
        this.told([{ isIntersecting: true }])
      }
      disconnect() {}
    },
  )
  onTestFinished(() => void vi.unstubAllGlobals())
  let answer = () => {}
  const held = new Promise<void>((resolve) => {
    answer = resolve
  })
  server.use(
    http.post(API.graphql, async ({ request }) => {
      const { query } = (await request.clone().json()) as { query: string }
      if (query.includes('query Runtimes')) await held
    }),
  )
  open('/projects/billing/integrations/dunning/runtimes?environment=dev')
  const card = await screen.findByRole('region', { name: 'Development' })
  expect(within(card).queryByText('no runtimes')).toBeNull()
  answer()
  await within(card).findByText('dunning-dev-1')
})

test('the title of a page is announced to screen readers once it has settled', async () => {
  const router = open('/projects')
  await screen.findByRole('heading', { level: 1, name: 'Projects' })
  const said = () => document.querySelector('[data-announcer]')?.textContent
  await new Promise((resolve) => setTimeout(resolve, 300))
  const before = said()
  await router.navigate(to.environments())
  await screen.findByRole('heading', { level: 1, name: 'Environments' })
  expect(said()).toBe(before)
  await waitFor(() => expect(said()).toBe('Environments'))
  await router.navigate(to.projects())
  await waitFor(() => expect(said()).toBe('Projects'))
})

test('what is taken from somebody leaves the page that is open, which says so', async () => {
  signedIn = 'dora'
  const router = open('/projects')
  await screen.findByRole('link', { name: 'Order Service' })
  const group = db.people.groups.find((each) => each.id === 'g-orders')
  group?.members.splice(0)
  void router.options.context.client.invalidateQueries({ queryKey: ['viewer'] })
  await screen.findByRole('heading', { name: 'Nothing is open to you yet' })
  await screen.findByText(/What you may do has changed/)
})

test('a secret is generated where its very place allows it, however narrow the mapping is', async () => {
  signedIn = 'dora'
  const mapping = db.people.mappings.find((each) => each.group === 'g-orders')
  if (mapping) mapping.scope = { project: 'order-service', environment: 'dev' }
  open('/projects/order-service/integrations/order-create/runtimes')
  const add = (name: string) => screen.findByRole('button', { name: `Add Runtime: ${name}` })
  await waitFor(async () => expect((await add('Development')).getAttribute('aria-disabled')).toBeNull())
  expect((await add('Staging')).getAttribute('data-tip')).toMatch(/environment_mgt:manage/)
  expect((await add('Production')).getAttribute('aria-disabled')).toBe('true')
})

test('who manages one project sees its secrets alone, and may rotate them', async () => {
  signedIn = 'dora'
  open('/secrets')
  const rows = await screen.findAllByRole('button', { name: /^Rotate/ })
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.some((row) => /permission/.test(row.getAttribute('data-tip') ?? ''))).toBe(false)
  expect(screen.queryByText('Invoice Sync')).toBeNull()
  expect(screen.queryByRole('link', { name: 'Production' })).toBeNull()
})
