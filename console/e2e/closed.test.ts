import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { pressGo } from './browser'
import { stories } from './story'

const refused = (page: Page) => page.evaluate(() => globalThis.mock?.refusedQueries())
const pages = (page: Page) => page.getByRole('navigation', { name: 'Pages' })
const HOME = '/projects/order-service/integrations/order-create'

/** A page that is not open: whose permission is missing, whom to ask with which words; and nothing was asked in vain. */
async function isClosed(page: Page, address: string, what: string, permission: string, username: string) {
  await page.goto(address)
  await page.getByRole('heading', { level: 2, name: `${what} are not open to you` }).waitFor()
  await page.getByText(`Nothing is broken: ${username} does not hold the permission ${permission}`).waitFor()
  await page.getByText('a member of the group Super Admins').waitFor()
  await page
    .getByText(`Please map a role with ${permission}`)
    .getByText(new RegExp(`I am ${username}: http.*/access/users/u-${username}`))
    .waitFor()
  // What is asked again by itself would have been by then: the rights are.
  await page.clock.runFor(61_000)
  expect(await refused(page), address).toEqual([])
  expect(await page.getByText('Could not load').count(), address).toBe(0)
}

/** It says why, to the keyboard too, and leads nowhere. */
async function rests(page: Page, link: ReturnType<Page['getByRole']>, permission: string) {
  await link.waitFor()
  expect(await link.getAttribute('aria-disabled')).toBe('true')
  expect(await link.getAttribute('data-tip')).toBe(`You need the permission ${permission} here.`)
  const before = page.url()
  await link.focus()
  await page.keyboard.press('Enter')
  expect(page.url()).toBe(before)
}

stories('What is not open', (story) => {
  const insights = 'observability_mgt:view_insights'
  const logs = 'observability_mgt:view_logs'

  story(
    'without insights: metrics and traces tell whom to ask, and links to them rest with a reason',
    async ({ page }) => {
      await page.clock.install()
      for (const [address, what] of [
        ['/insights', 'Metrics'],
        [`${HOME}/metrics`, 'Metrics'],
        ['/traces', 'Traces'],
        ['/traces/map', 'Traces'],
        [`${HOME}/traces`, 'Traces'],
        ['/traces/4bf92f3577b34da6a3ce929d0e0e4736', 'Traces'],
      ] as const)
        await isClosed(page, address, what, insights, 'lars')
      await rests(page, pages(page).getByRole('link', { name: 'Metrics', exact: true }), insights)
      await rests(page, pages(page).getByRole('link', { name: 'Traces', exact: true }), insights)
      await page.goto(HOME)
      await rests(page, page.getByRole('main').getByRole('link', { name: 'Metrics', exact: true }), insights)
      await page.goto('/runtimes/rt-order-create-prod-1')
      await rests(page, page.getByRole('main').getByRole('link', { name: 'Metrics', exact: true }), insights)
      await page.goto('/logs')
      await page.getByRole('list', { name: 'Logs' }).getByRole('button').first().waitFor()
      expect(await refused(page)).toEqual([])
    },
    { as: 'lars', timeoutMs: 90_000 },
  )

  story(
    'without insights the keys say why, and neither the palette nor the map offers what is closed',
    async ({ page }) => {
      await page.goto('/')
      await page.getByRole('heading', { name: 'What is not well' }).waitFor()
      await pressGo(page, 'm')
      await page.getByText(`You need the permission ${insights} here.`).waitFor()
      expect(new URL(page.url()).pathname).toBe('/')
      await page.keyboard.press('?')
      const map = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
      await map.getByText('g l', { exact: true }).waitFor()
      expect(await map.getByText('g m', { exact: true }).count()).toBe(0)
      await page.keyboard.press('Escape')
      await map.waitFor({ state: 'detached' })
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').fill('metrics')
      await page.getByText('Nothing found.').waitFor()
    },
    { as: 'lars' },
  )

  story(
    'without logs: the page tells whom to ask, and what leads to logs rests with a reason',
    async ({ page }) => {
      await page.clock.install()
      await isClosed(page, '/logs', 'Logs', logs, 'mina')
      await isClosed(page, `${HOME}/logs`, 'Logs', logs, 'mina')
      await rests(page, pages(page).getByRole('link', { name: 'Logs', exact: true }), logs)
      await page.goto(`${HOME}/metrics`)
      await page.locator('[data-charts] canvas').first().waitFor()
      const errors = page.getByRole('region', { name: 'Error rate', exact: true })
      await errors.getByText('As a table').click()
      await errors
        .getByRole('button', { name: /^Look at / })
        .first()
        .click()
      const moment = page.getByRole('region', { name: 'The moment that is looked at' })
      await rests(page, moment.getByRole('link', { name: 'Logs of this moment' }), logs)
      await moment.getByRole('link', { name: 'Traces of this moment' }).waitFor()
      await page.goto('/traces')
      await page.getByRole('link', { name: 'POST /orders' }).first().click()
      await page.getByRole('tree', { name: 'Waterfall' }).waitFor()
      await rests(page, page.getByRole('main').getByRole('link', { name: /logs/i }).first(), logs)
      expect(await refused(page)).toEqual([])
    },
    { as: 'mina', timeoutMs: 60_000 },
  )

  story(
    'as a viewer: secrets, people and the audit tell whose permission opens them, and ask nothing that is refused',
    async ({ page }) => {
      await page.clock.install()
      for (const [address, what, permission] of [
        ['/secrets', 'Secrets', 'environment_mgt:manage_nonprod'],
        [`${HOME}/secrets`, 'Secrets', 'environment_mgt:manage_nonprod'],
        ['/access/users', 'Users', 'user_mgt:update_users'],
        ['/access/groups', 'Groups', 'user_mgt:update_group_roles'],
        ['/access/roles', 'Roles', 'user_mgt:update_group_roles'],
        ['/access/sso', 'Mappings of single sign-on', 'user_mgt:update_group_roles'],
        ['/audit', 'Audit records', 'audit_mgt:view'],
      ] as const)
        await isClosed(page, address, what, permission, 'vera')
    },
    { as: 'vera', timeoutMs: 90_000 },
  )

  story(
    'a project that one may not see is not told apart from none, and it is said what one would need and of whom',
    async ({ page }) => {
      for (const address of ['/projects/billing', '/projects/nowhere']) {
        await page.goto(address)
        await page.getByRole('heading', { level: 1, name: 'There is no such project', exact: true }).waitFor()
        await page.getByText(/dora does not hold project_mgt:view in it: a Super Admin/).waitFor()
      }
      expect(await refused(page)).toEqual([])
    },
    { as: 'dora' },
  )

  story(
    'without sight of integrations the pages of alerts tell whom to ask, and ask nothing that is refused',
    async ({ page }) => {
      const needed = 'integration_mgt:view'
      await page.clock.install()
      await page.addInitScript(() => {
        globalThis.mockLost = ['INTEGRATION_MGT_VIEW']
      })
      await isClosed(page, '/alerts', 'Alerts', needed, 'lars')
      await isClosed(page, '/alerts/rules', 'Rules', needed, 'lars')
      await isClosed(page, '/alerts/silences', 'Silences', needed, 'lars')
      await rests(page, pages(page).getByRole('link', { name: 'Alerts', exact: true }), needed)
    },
    { as: 'lars', timeoutMs: 60_000 },
  )

  story(
    'an alert names where to look, and what is not open says why',
    async ({ page }) => {
      await page.goto('/alerts')
      await page
        .getByRole('list', { name: 'Firing', exact: true })
        .getByRole('link', { name: 'Orders fail', exact: true })
        .first()
        .click()
      const look = page.getByRole('dialog').getByRole('region', { name: 'Where to look' })
      await rests(page, look.getByRole('link', { name: 'Metrics of that time' }), insights)
      await rests(page, look.getByRole('link', { name: 'Failed traces of that time' }), insights)
      expect(await look.getByRole('link', { name: 'Errors in the logs of that time' }).getAttribute('href')).toContain(
        '/logs?',
      )
      expect(await refused(page)).toEqual([])
    },
    { as: 'lars' },
  )

  story(
    'who may only look at alerts reads everything, and each thing that changes says why it rests',
    async ({ page }) => {
      const why = 'You need the permission alert_mgt:manage here.'
      await page.goto('/alerts')
      const first = page.getByRole('list', { name: 'Firing', exact: true }).getByRole('link').first()
      await first.click()
      const panel = page.getByRole('dialog')
      const silence = panel.getByRole('button', { name: 'Silence', exact: true })
      await silence.waitFor()
      expect(await silence.getAttribute('data-tip')).toBe(why)
      await page.goto('/alerts/silences')
      const begin = page.getByRole('button', { name: 'Begin a silence' }).first()
      await begin.waitFor()
      expect(await begin.getAttribute('data-tip')).toBe(why)
      await page.goto('/alerts/channels')
      await page.getByRole('heading', { level: 2, name: 'Channels are not open to you' }).waitFor()
      expect(await refused(page)).toEqual([])
      expect(await page.evaluate(() => globalThis.mock?.refusedChanges())).toEqual([])
    },
    { as: 'vera' },
  )
})
