import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const steering = '/projects/order-service/integrations/order-create/steering?environment=dev'
const live = (page: Page) => page.locator('[data-line=live]').waitFor()
const down = (page: Page, isDown: boolean) => page.evaluate((each) => globalThis.mock?.down(each), isDown)
const entry = (page: Page, name: string) =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name, exact: true }) })
/** Rights are read again after ten seconds, the line is tried again with growing pauses. */
const IN_TIME = { timeout: 30_000 }

/** A busy machine takes its time to draw the first page. */
const PATIENCE_MS = 40_000

stories('When something is wrong', (story) => {
  story(
    'the control plane goes away: what was read stays with the time of the cut, what is asked anew says why not, and all of it recovers',
    async ({ page, complaints }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/runtimes')
      await live(page)
      await down(page, true)
      await page.getByText(/^Cut off since \d\d:\d\d:\d\d$/).waitFor()
      await page.getByRole('link', { name: 'dunning-dev-1' }).waitFor()
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Audit', exact: true }).click()
      const failed = page.getByRole('alert').filter({ hasText: 'Could not load' })
      await failed.getByText(/The control plane does not answer\./).waitFor()
      await failed.getByText(/Check the network and that the control plane is running/).waitFor()
      expect(await page.getByText(/No record/).count()).toBe(0)
      await down(page, false)
      await failed.getByRole('button', { name: 'Try again' }).click()
      await page.getByText('user:mallory').first().waitFor()
      await page.locator('[data-line=live]').waitFor(IN_TIME)
      complaints.splice(0)
    },
    { timeoutMs: 120_000 },
  )

  story(
    'what was typed while nothing answers stays, and is saved by the next press',
    async ({ page, complaints }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/projects?create=true')
      const form = page.getByRole('dialog')
      await form.getByLabel('Display name').fill('Night Train')
      await down(page, true)
      await form.getByRole('button', { name: 'Create project' }).click()
      await form
        .getByText(/The control plane does not answer\./)
        .first()
        .waitFor()
      expect(await form.getByLabel('Display name').inputValue()).toBe('Night Train')
      await down(page, false)
      await form.getByRole('button', { name: 'Create project' }).click()
      await page.getByRole('heading', { level: 1, name: 'Night Train', exact: true }).waitFor()
      complaints.splice(0)
    },
    { timeoutMs: 120_000 },
  )

  story(
    'a subscription that is cut says since when, tries by itself, and brings what happened meanwhile',
    async ({ page, complaints }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/runtimes')
      await live(page)
      await page.evaluate(() => globalThis.mock?.cutLines(1_500))
      const mark = page.locator('[data-line=cut-off]')
      await mark.getByText(/^Cut off since \d\d:\d\d:\d\d$/).waitFor()
      expect(await mark.getAttribute('data-tip')).toMatch(/What you see is as of then\. .*Trying again by itself\./)
      await page.evaluate(() => globalThis.mock?.silence('rt-stock-level-prod-4'))
      await page.locator('[data-line=live]').waitFor(IN_TIME)
      await page
        .getByRole('row', { name: /stock-level-prod-4/ })
        .getByText('Offline', { exact: true })
        .waitFor()
      complaints.splice(0)
    },
    { timeoutMs: 120_000 },
  )

  story(
    'a right that is taken away in mid-session is said, and what needed it rests with the reason',
    async ({ page }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto(steering)
      const toggle = entry(page, 'http').getByRole('switch', { name: 'Listener http: State' })
      await toggle.waitFor()
      expect(await toggle.getAttribute('aria-disabled')).not.toBe('true')
      await page.evaluate(() => globalThis.mock?.lose(['INTEGRATION_MGT_EDIT', 'INTEGRATION_MGT_MANAGE']))
      await page.getByText('What you may do has changed').waitFor(IN_TIME)
      await expect.poll(() => toggle.getAttribute('aria-disabled'), IN_TIME).toBe('true')
      expect(await toggle.getAttribute('data-tip')).toBe('You need the permission integration_mgt:edit here.')
    },
    { as: 'dora', timeoutMs: 120_000 },
  )

  story(
    'a page that is open closes when its right is taken away: it tells whom to ask',
    async ({ page, complaints }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/logs')
      await page.getByRole('list', { name: 'Logs' }).getByRole('button').first().waitFor()
      await page.evaluate(() => globalThis.mock?.lose(['OBSERVABILITY_MGT_VIEW_LOGS']))
      await page.getByText('What you may do has changed').waitFor(IN_TIME)
      await page.getByRole('heading', { level: 2, name: 'Logs are not open to you' }).waitFor()
      await page.getByText(/vera does not hold the permission observability_mgt:view_logs/).waitFor()
      complaints.splice(0)
    },
    { as: 'vera', timeoutMs: 120_000 },
  )

  story(
    'a right that is gone between the look and the press: the change is refused in words, and nothing moves',
    async ({ page, complaints }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/projects/order-service/integrations/order-create')
      await page.getByRole('button', { name: 'Edit integration' }).click()
      const form = page.getByRole('dialog')
      await form.getByLabel('Display name').fill('Order Intake')
      await page.evaluate(() => globalThis.mock?.lose(['INTEGRATION_MGT_EDIT', 'INTEGRATION_MGT_MANAGE']))
      await form.getByRole('button', { name: 'Save' }).click()
      await form
        .getByText(/You need the permission integration_mgt:edit here\./)
        .first()
        .waitFor()
      expect(await form.getByLabel('Display name').inputValue()).toBe('Order Intake')
      complaints.splice(0)
    },
    { as: 'dora', timeoutMs: 120_000 },
  )

  story(
    'a session that has ended asks for the sign-in, and whoever comes back is where they were',
    async ({ page, complaints }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/alerts/rules')
      await page.getByText('Cannot be judged').first().waitFor()
      await page.evaluate(() => globalThis.mock?.expire(true))
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Secrets', exact: true }).click()
      await page
        .getByText(/Your session has ended/)
        .first()
        .waitFor()
      const username = page.getByLabel('Username')
      if (await username.isVisible()) await username.fill('admin')
      await page.getByLabel('Password', { exact: true }).fill('pilothouse')
      await page.keyboard.press('Enter')
      await page.getByText('Expires soon').first().waitFor()
      expect(new URL(page.url()).pathname).toBe('/secrets')
      complaints.splice(0)
    },
    { timeoutMs: 120_000 },
  )
})

stories('As a viewer', (story) => {
  story(
    'everything is read: from what is not well to its lines and its trace; what changes says which right it takes',
    async ({ page }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto('/')
      await page.getByRole('link', { name: 'order-status-prod-3', exact: true }).first().click()
      await page.getByRole('heading', { level: 1, name: 'order-status-prod-3', exact: true }).waitFor()
      await page.goto(steering)
      const toggle = entry(page, 'http').getByRole('switch', { name: 'Listener http: State' })
      await toggle.waitFor()
      expect(await toggle.getAttribute('aria-disabled')).toBe('true')
      expect(await toggle.getAttribute('data-tip')).toBe('You need the permission integration_mgt:edit here.')
      await page.goto('/logs?level=ERROR')
      await page.getByText('the card has expired').first().waitFor()
      await page.goto('/traces')
      await page.getByRole('link', { name: 'POST /orders' }).first().waitFor()
      for (const address of ['/secrets', '/access/users', '/audit']) {
        await page.goto(address)
        await page
          .getByText(/You need the permission|not open to you/)
          .first()
          .waitFor()
      }
      expect(await page.evaluate(() => globalThis.mock?.refusedChanges())).toEqual([])
    },
    { as: 'vera', timeoutMs: 120_000 },
  )
})

stories('As a developer of one project', (story) => {
  story(
    'the own project is steered; other projects, and their logs and runtimes, are not there',
    async ({ page }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto(steering)
      await live(page)
      const http = entry(page, 'http')
      await http.getByRole('switch', { name: 'Listener http: State' }).click()
      await http.getByRole('button', { name: 'Stop', exact: true }).click()
      await http.getByText('2 of 2 confirmed').waitFor()
      await page.goto('/runtimes')
      await page.getByRole('link', { name: 'order-create-dev-1' }).waitFor()
      expect(await page.getByRole('link', { name: /dunning|invoice-sync/ }).count()).toBe(0)
      await page.goto('/runtimes/rt-dunning-dev-1')
      await page.getByRole('heading', { name: 'There is no such runtime' }).waitFor()
      await page.getByText('you may not be allowed to see it').waitFor()
      expect(await page.evaluate(() => globalThis.mock?.refusedChanges())).toEqual([])
    },
    { as: 'dora', timeoutMs: 120_000 },
  )
})

stories('As a stranger', (story) => {
  story(
    'every address says the same: nothing is open yet, and whom to ask; no name of anything is given away',
    async ({ page }) => {
      page.setDefaultTimeout(PATIENCE_MS)
      for (const address of [
        '/',
        '/drift',
        '/logs',
        steering,
        '/runtimes/rt-dunning-dev-1',
        '/access/users',
        '/audit',
      ]) {
        await page.goto(address)
        await page.getByRole('heading', { name: 'Nothing is open to you yet' }).waitFor()
        expect(await page.getByText(/Order Service|dunning|Ada Byron/).count(), address).toBe(0)
      }
    },
    { as: 'stan', timeoutMs: 120_000 },
  )
})
