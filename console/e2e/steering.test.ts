import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const steering = (project: string, integration: string, environment: string) =>
  `/projects/${project}/integrations/${integration}/steering?environment=${environment}`
const entry = (page: Page, name: string) =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name, exact: true }) })
/** Commands take a second or two on their way. */
const IN_TIME = { timeout: 10_000 }
const live = (page: Page) => page.locator('[data-line=live]').waitFor()

stories('Steering', (story) => {
  story(
    'a listener is stopped: asked first, then queued, delivered, confirmed; the switch moves last',
    async ({ page }) => {
      await page.goto(steering('order-service', 'order-create', 'dev'))
      await live(page)
      const http = entry(page, 'http')
      const toggle = http.getByRole('switch', { name: 'Listener http: State' })
      expect(await toggle.getAttribute('aria-checked')).toBe('true')
      await toggle.focus()
      await page.keyboard.press('Space')
      const question = http.getByRole('group', { name: /Stop http on 2 running runtimes in Development\?/ })
      await question.waitFor()
      await page.keyboard.press('Escape')
      await question.waitFor({ state: 'detached' })
      await expect.poll(() => toggle.evaluate((each) => each === document.activeElement)).toBe(true)

      await page.keyboard.press('Space')
      await question.getByRole('button', { name: 'Stop' }).click()
      await http.getByText('Queued').first().waitFor()
      expect(await toggle.getAttribute('aria-checked')).toBe('true')
      await http.getByText(/by admin/).waitFor()
      await http.getByText('Delivered').first().waitFor()
      expect(await toggle.getAttribute('aria-checked')).toBe('true')
      await http.getByText('2 of 2 confirmed').waitFor()
      await http.getByText('on all 2').waitFor()
      await expect.poll(() => toggle.getAttribute('aria-checked'), IN_TIME).toBe('false')
      await http.getByText('as asked').waitFor()
      await page.locator('[data-announcer]', { hasText: 'Stop http on' }).waitFor({ state: 'attached' })

      await toggle.click()
      await expect.poll(() => toggle.getAttribute('aria-checked'), IN_TIME).toBe('true')
    },
  )

  story('what a switch does without a question is copied as a command line beside it', async ({ page }) => {
    await page.goto(steering('order-service', 'order-create', 'dev'))
    await live(page)
    const http = entry(page, 'http')
    const copy = http.getByRole('button', { name: 'Copy as CLI: Stop: http' })
    await copy.focus()
    await expect.poll(() => copy.evaluate((each) => getComputedStyle(each.parentElement ?? each).opacity)).toBe('1')
    await page.keyboard.press('Enter')
    await http.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(
      /^pilothouse listeners stop http --project order-service --integration order-create --environment dev/,
    )
  })

  story('a command that fails says why, and is tried again from its place', async ({ page }) => {
    await page.goto(steering('billing', 'invoice-sync', 'dev'))
    await live(page)
    const http = entry(page, 'http')
    await http.getByRole('switch').click()
    await http.getByRole('button', { name: 'Stop', exact: true }).click()
    await http.getByText('Failed', { exact: true }).waitFor()
    await http.getByText(/The runtime refused: 2 requests did not end within 30 s/).waitFor()
    await http.getByText('1 of 2 confirmed').waitFor()
    await page
      .getByRole('region', { name: 'Runtimes disagree' })
      .getByText(/listener http is/)
      .waitFor()
    await http.getByRole('button', { name: 'Try again: Stop on invoice-sync-dev-2', exact: true }).click()
    await http.getByText('2 of 2 confirmed').waitFor()
    expect(await http.getByText('Failed', { exact: true }).count()).toBe(0)
    await expect.poll(() => http.getByRole('switch').getAttribute('aria-checked'), IN_TIME).toBe('false')
  })

  story('a critical environment asks for its name before anything is sent', async ({ page }) => {
    await page.goto(steering('warehouse', 'edi-inbound', 'prod'))
    await live(page)
    const api = entry(page, 'OrdersAPI')
    const tracing = api.getByRole('switch', { name: 'API OrdersAPI: Tracing' })
    await tracing.click()
    const dialog = page.getByRole('dialog', { name: 'Switch tracing on: OrdersAPI' })
    const submit = dialog.getByRole('button', { name: 'Switch tracing on' })
    await submit.click({ force: true })
    expect(await submit.getAttribute('aria-disabled')).toBe('true')
    await dialog.getByLabel('Type prod to confirm').fill('pro')
    await page.keyboard.press('Enter')
    expect(await dialog.isVisible()).toBe(true)
    await dialog.getByLabel('Type prod to confirm').fill('prod')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    await api.getByText('1 that does not run follows when it comes back').waitFor()
    await expect.poll(() => tracing.getAttribute('aria-checked'), IN_TIME).toBe('true')
  })

  story('drift is told plainly: which runtime says what, and who lacks it', async ({ page }) => {
    await page.goto(steering('order-service', 'order-create', 'prod'))
    const drift = page.getByRole('region', { name: 'Runtimes disagree' })
    await drift.getByText(/The listener http is ENABLED on 5 runtimes, DISABLED on order-create-prod-2\./).waitFor()
    const http = entry(page, 'http')
    await http.getByRole('link', { name: 'order-create-prod-2' }).waitFor()
    expect(await http.getByRole('switch').count()).toBe(0)
    await http.getByRole('button', { name: 'Start: http', exact: true }).waitFor()
    await entry(page, 'order.created')
      .getByText(/Missing on order-create-prod-4/)
      .waitFor()
    await page.getByLabel('Only what differs').check()
    await entry(page, 'admin').waitFor({ state: 'detached' })
    expect(new URL(page.url()).searchParams.get('differing')).toBe('true')
    await drift.getByRole('button', { name: 'Show order_create.api' }).click()
    await expect.poll(() => new URL(page.url()).searchParams.get('search')).toBe('order_create.api')
  })

  story('a log level is set, then reset to what the program had', async ({ page }) => {
    await page.goto(`${steering('order-service', 'order-create', 'dev')}&kind=LOGGER`)
    await live(page)
    const logger = entry(page, 'order_create.api')
    const level = logger.getByRole('combobox', { name: 'Level of order_create.api' })
    expect(await level.inputValue()).toBe('INFO')
    await level.selectOption('DEBUG')
    expect(await logger.getByText('Asked:').count()).toBe(0)
    await logger.getByRole('button', { name: 'Set DEBUG', exact: true }).click()
    expect(await level.inputValue()).toBe('INFO')
    await logger.getByText('2 of 2 confirmed').waitFor()
    await expect.poll(() => level.inputValue(), IN_TIME).toBe('DEBUG')
    await logger.getByRole('button', { name: /^Reset order_create.api/ }).click()
    await logger.getByText('Asked:').waitFor({ state: 'detached' })
    await expect.poll(() => level.inputValue(), IN_TIME).toBe('INFO')
  })

  story('suspended and orphaned wishes say why, and are forgotten', async ({ page }) => {
    await page.goto(steering('order-service', 'order-status', 'dev'))
    const admin = entry(page, 'admin')
    await admin.getByText(/its port was 8081 and is 8091/).waitFor()
    await admin.getByRole('button', { name: 'Ask again' }).waitFor()
    const cleanup = entry(page, 'hourly-cleanup')
    await cleanup.getByText('Orphan.').waitFor()
    await cleanup.getByRole('button', { name: 'Forget what is asked of hourly-cleanup' }).click()
    await page.getByText(/What was asked of hourly-cleanup is forgotten/).waitFor()
    await cleanup.waitFor({ state: 'detached' })
  })

  story('a schedule runs once, on the runtime that was chosen', async ({ page }) => {
    await page.goto(steering('order-service', 'order-create', 'dev'))
    await live(page)
    const job = entry(page, 'nightly-report')
    await job.getByRole('button', { name: 'Run now: nightly-report' }).click()
    const dialog = page.getByRole('dialog', { name: 'Run now: nightly-report' })
    await dialog.getByLabel('On which runtime').selectOption({ label: 'order-create-dev-2' })
    await dialog.getByRole('button', { name: 'Run once' }).click()
    await job.getByRole('link', { name: 'order-create-dev-2' }).waitFor()
    await job.getByText('Confirmed').waitFor()
  })

  story('from the integration one gets to steering, and another environment is one choice away', async ({ page }) => {
    await page.goto('/projects/order-service/integrations/order-create')
    await page.getByRole('link', { name: 'Steer: Development' }).click()
    await page.getByRole('heading', { level: 1, name: 'Steering of Order Create', exact: true }).waitFor()
    await page.getByLabel('Environment', { exact: true }).selectOption('staging')
    await page.getByText('No runtime of this integration reports from Staging').waitFor()
    expect(new URL(page.url()).searchParams.get('environment')).toBe('staging')
    await page.goto(steering('order-service', 'order-create', 'nowhere'))
    await page.getByText('There is no environment nowhere.').waitFor()
  })
})
