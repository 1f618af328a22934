import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const FLEET = 3_000
const live = (page: Page) => page.locator('[data-line=live]').waitFor()
const table = (page: Page, name: string) => page.getByRole('group', { name, exact: true })
const rendered = (page: Page) => page.locator('main tbody tr[data-key]').count()
const inAddress = (page: Page, name: string) => new URL(page.url()).searchParams.get(name)
const row = (page: Page, name: string) =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
const check = (page: Page, name: string) => page.getByRole('checkbox', { name: `Select ${name}`, exact: true })

const grow = (page: Page) =>
  page.addInitScript((count) => {
    globalThis.mockFleet = count
  }, FLEET)

/** A story of many steps, on a machine that does other things too. */
const LONG = { timeoutMs: 90_000 }

stories('Runtimes at scale', (story) => {
  story(
    'thousands of runtimes scroll in one list: only those near the screen are in the page, and all can be reached',
    async ({ page }) => {
      await grow(page)
      await page.goto('/runtimes?environment=staging')
      await page.getByRole('link', { name: 'fleet-00001' }).waitFor()
      expect(await page.getByRole('table').getAttribute('aria-rowcount')).toBe(`${FLEET + 1}`)
      await page.keyboard.press('j')
      await page.keyboard.press('j')
      const focused = () => page.evaluate(() => document.activeElement?.textContent)
      await expect.poll(focused).toBe('fleet-00002')
      const goDown = async () => {
        await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight))
        return page.getByRole('link', { name: `fleet-0${FLEET}` }).count()
      }
      await expect.poll(goDown, { timeout: 25_000, interval: 150 }).toBe(1)
      expect(await rendered(page)).toBeLessThan(150)
      expect(await row(page, `fleet-0${FLEET}`).getAttribute('aria-rowindex')).toBe(`${FLEET + 1}`)
      // Who was in the list still is, and goes on from there.
      expect(await focused()).toBe('fleet-00002')
      await page.keyboard.press('j')
      await expect.poll(focused).not.toBe('fleet-00002')

      await page.evaluate(() => window.scrollTo(0, 30_000))
      await expect.poll(async () => (await rendered(page)) > 30).toBe(true)
      const link = page.locator('main tbody tr[data-key] a[data-row]').nth(30)
      const name = (await link.textContent()) ?? ''
      // By its name: more rows arrive meanwhile, and another one may be the thirtieth then.
      await page.getByRole('link', { name, exact: true }).click()
      await page.getByRole('heading', { level: 1, name }).waitFor()
      await page.goBack()
      await expect.poll(() => page.evaluate(() => window.scrollY), { timeout: 15_000 }).toBeGreaterThan(25_000)
      await page.getByRole('link', { name, exact: true }).waitFor()
    },
    LONG,
  )

  story(
    'the same runtimes by integration, in one list, newest first: each is a link',
    async ({ page }) => {
      await page.goto('/runtimes')
      await page.getByRole('region', { name: 'Production', exact: true }).waitFor()
      await page.getByLabel('Group', { exact: true }).selectOption('By integration')
      const billing = page.getByRole('region', { name: 'Billing / Dunning' })
      await billing.getByRole('link', { name: 'dunning-prod-1' }).waitFor()
      await billing.getByText('Development').first().waitFor()
      expect(inAddress(page, 'group')).toBe('integration')
      await page.getByLabel('Environment', { exact: true }).selectOption('prod')
      await billing.getByRole('link', { name: 'dunning-dev-1' }).waitFor({ state: 'detached' })

      await page.getByLabel('Group', { exact: true }).selectOption('One list')
      await page.getByLabel('Order', { exact: true }).selectOption('Oldest first')
      const names = () => table(page, 'Runtimes in All runtimes').locator('a[data-row]').allTextContents()
      await expect.poll(async () => (await names())[0], { timeout: 15_000 }).toBe('stock-level-prod-8')
      const count = (await names()).length
      await page.reload()
      await expect.poll(async () => (await names())[0], { timeout: 15_000 }).toBe('stock-level-prod-8')
      expect(await names()).toHaveLength(count)
      expect(inAddress(page, 'sort')).toBe('OLDEST')
    },
    LONG,
  )

  story(
    'what no longer belongs to a list stays under the pointer, and leaves with it',
    async ({ page }) => {
      await page.goto('/runtimes?environment=prod&status=RUNNING')
      await live(page)
      await page.getByRole('link', { name: 'stock-level-prod-4' }).hover()
      const before = await row(page, 'stock-level-prod-5').boundingBox()
      await page.evaluate(() => globalThis.mock?.silence('rt-stock-level-prod-3'))
      await row(page, 'stock-level-prod-3').getByText('Offline', { exact: true }).waitFor()
      expect(await row(page, 'stock-level-prod-5').count()).toBe(1)
      expect((await row(page, 'stock-level-prod-5').boundingBox())?.x).toBe(before?.x)
      await page.mouse.move(2, 2)
      await page.getByRole('link', { name: 'stock-level-prod-3' }).waitFor({ state: 'detached' })
    },
    LONG,
  )

  story(
    'several are selected and restarted: what is left out is said, production is typed, each step is told',
    async ({ page }) => {
      await page.goto('/runtimes?environment=prod&search=order-')
      await live(page)
      await check(page, 'order-create-prod-1').click()
      await check(page, 'order-create-prod-4').click({ modifiers: ['Shift'] })
      const bar = page.getByRole('region', { name: 'Selection' })
      await bar.getByText('4 selected').waitFor()
      await bar.getByRole('link', { name: 'Steer' }).waitFor()
      await bar.getByRole('button', { name: 'Restart' }).click()
      const dialog = page.getByRole('dialog', { name: 'Restart 3 runtimes?' })
      await dialog.getByText('3 runtimes in Production').waitFor()
      await dialog.getByText('1 is left out').waitFor()
      await dialog.getByText(/It did not declare that it can restart/).waitFor()
      const submit = dialog.getByRole('button', { name: 'Restart 3' })
      expect(await submit.getAttribute('aria-disabled')).toBe('true')
      await dialog.getByLabel('Type prod to confirm').fill('prod')
      await submit.click()
      const panel = page.getByRole('dialog', { name: 'Restart of 3 runtimes' })
      await panel.getByText('Queued').or(panel.getByText('Delivered')).first().waitFor()
      await panel.getByText('3 of 3 done').waitFor()
      expect(await panel.getByText('Confirmed', { exact: true }).count()).toBe(3)
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Put away' }).click()
      await page.getByRole('region', { name: 'Restart of 3 runtimes' }).waitFor({ state: 'detached' })
    },
    LONG,
  )

  story(
    'by keyboard alone: x selects, Shift and x selects as far as here, Escape clears',
    async ({ page }) => {
      await page.goto('/runtimes?environment=prod')
      await page.getByRole('link', { name: 'crm-bridge-prod-1' }).waitFor()
      await page.keyboard.press('j')
      await page.keyboard.press('x')
      const bar = page.getByRole('region', { name: 'Selection' })
      await bar.getByText('1 selected').waitFor()
      await page.keyboard.press('j')
      await page.keyboard.press('j')
      await page.keyboard.press('Shift+X')
      await bar.getByText('3 selected').waitFor()
      await page.keyboard.press('Escape')
      await bar.waitFor({ state: 'detached' })
    },
    LONG,
  )

  story(
    'a log level for a selection names all that it touches; what fails says why and is tried again',
    async ({ page }) => {
      await page.goto('/runtimes?environment=dev&search=invoice')
      await live(page)
      await check(page, 'invoice-sync-dev-2').click()
      await page.getByRole('button', { name: 'Log level' }).click()
      const dialog = page.getByRole('dialog', { name: 'Set a log level' })
      await dialog.getByText('2 runtimes there, 1 selected').waitFor()
      await dialog.getByLabel('Logger').fill('invoice_sync.jobs')
      await dialog.getByLabel('Level').selectOption('WARN')
      await dialog.getByRole('button', { name: 'Set WARN' }).click()
      const panel = page.getByRole('dialog', { name: 'Level WARN for invoice_sync.jobs' })
      await panel.getByText('Failed', { exact: true }).waitFor()
      await panel.getByText(/The runtime refused/).waitFor()
      await panel.getByRole('button', { name: 'Try again: invoice-sync-dev-2' }).click()
      await panel.getByText('3 of 3 done').waitFor()
      await expect.poll(() => panel.getByText('Failed', { exact: true }).count()).toBe(0)
    },
    LONG,
  )

  story(
    'several are removed, and go from the list',
    async ({ page }) => {
      await page.goto('/runtimes?environment=dev&search=order-create')
      await live(page)
      await page.getByRole('checkbox', { name: 'Select all 2 that are loaded' }).check()
      await page.getByRole('button', { name: 'Remove' }).click()
      const dialog = page.getByRole('dialog', { name: 'Remove 2 runtimes?' })
      await dialog.getByText('2 of them still report').waitFor()
      await dialog.getByRole('button', { name: 'Remove 2' }).click()
      await page.getByRole('dialog', { name: 'Removal of 2 runtimes' }).getByText('2 of 2 done').waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('link', { name: 'order-create-dev-1' }).waitFor({ state: 'detached' })
    },
    LONG,
  )

  story(
    'who may only look is told why a button does nothing',
    async ({ page }) => {
      await page.goto('/runtimes?environment=dev')
      await check(page, 'dunning-dev-1').click()
      const restart = page.getByRole('region', { name: 'Selection' }).getByRole('button', { name: 'Restart' })
      await restart.hover()
      await page.getByText('You need the permission integration_mgt:edit here.').waitFor()
      await restart.click({ force: true })
      expect(await page.getByRole('dialog').count()).toBe(0)
    },
    { ...LONG, as: 'vera' },
  )
})
