import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { pressGo } from './browser'
import { stories } from './story'

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent?.trim())

/** Opens the palette and types into it. */
async function inPalette(page: Page, text: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').waitFor()
  await page.keyboard.type(text)
}

async function atHome(page: Page): Promise<void> {
  await page.goto('/')
  await page.getByRole('heading', { name: 'What is not well' }).waitFor()
}

stories('Keyboard only', (story) => {
  story('skip link, palette, rows, search, sheet, switcher: all without a pointer', async ({ page }) => {
    await atHome(page)
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Skip to content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content')

    await inPalette(page, 'project')
    await page.getByRole('option', { name: 'Projects', exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Projects', exact: true }).waitFor()

    await page.getByRole('link', { name: 'Billing' }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    await expect.poll(() => focused(page)).toBe('Billing')
    await page.keyboard.press('/')
    await page.keyboard.type('ware')
    await page.getByRole('link', { name: 'Billing' }).waitFor({ state: 'detached' })
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('j')
    await expect.poll(() => focused(page)).toBe('Warehouse')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Warehouse', exact: true }).waitFor()

    await page.keyboard.press('?')
    const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await sheet.waitFor()
    await page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })

    await page.getByRole('button', { name: /Switch project/ }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('option', { name: /Billing/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Customer 360', exact: true }).waitFor()

    await page.getByRole('button', { name: /Switch integration/ }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('option', { name: /CRM Bridge/ }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => focused(page)).toBe('All integrations')

    await page.locator('#content').focus()
    await pressGo(page, 'r')
    await page.getByRole('heading', { level: 1, name: 'Runtimes' }).waitFor()
  })

  story(
    'every page of the navigation has a key, and the map of the keyboard shows it',
    async ({ page }) => {
      const home = '/projects/order-service/integrations/order-create'
      for (const address of ['/', '/projects/order-service', home]) {
        await page.goto(address)
        const entries = page.getByRole('navigation', { name: 'Pages' }).getByRole('link')
        await entries.first().waitFor()
        await page.keyboard.press('?')
        const map = page
          .getByRole('dialog', { name: 'Keyboard shortcuts' })
          .getByRole('region', { name: 'Go to a page' })
        await map.waitFor()
        const shown = await map.locator('kbd').allTextContents()
        await page.keyboard.press('Escape')
        await map.waitFor({ state: 'detached' })
        const there = await entries.count()
        expect(shown.length).toBeGreaterThanOrEqual(there)
        for (let index = 0; index < there; index++) {
          const target = new URL((await entries.nth(index).getAttribute('href')) ?? '?', page.url()).pathname
          const here = () => new URL(page.url()).pathname
          if (here() === target) continue
          await page.locator('#content').focus()
          const [first, letter = ''] = (shown[index] ?? '').split(' ')
          expect(first).toBe('g')
          await pressGo(page, letter)
          await expect.poll(here, { message: target }).toBe(target)
        }
      }
    },
    { timeoutMs: 90_000 },
  )

  story(
    'an Enter that comes before the list waits for it, and picks what was named and nothing else',
    async ({ page }) => {
      await page.goto('/access/who-may?permission=INTEGRATION_MGT_EDIT&project=billing')
      await page.getByRole('button', { name: 'Pick a person' }).click()
      const box = page.getByRole('dialog').getByRole('combobox')
      await page.getByRole('option', { name: /Administrator/ }).waitFor()
      await page.evaluate(() => globalThis.mock?.hold('Users'))
      await box.fill('dora meyer')
      expect(await page.getByRole('dialog').getByRole('option', { selected: true }).count()).toBe(0)
      await page.keyboard.press('Enter')
      await page
        .getByRole('listbox', { name: 'Search users' })
        .and(page.locator('[aria-busy=true]'))
        .waitFor({ state: 'attached' })
      expect(new URL(page.url()).searchParams.get('user')).toBeNull()
      await page.evaluate(() => globalThis.mock?.answer())
      await page.getByText('No, Dora Meyer may not').waitFor()
    },
  )

  story('an early Enter that could mean several picks none of them, and to type on takes it back', async ({ page }) => {
    await page.goto('/projects')
    await page.getByRole('link', { name: 'Billing' }).waitFor()
    await page.getByRole('button', { name: /Switch project/ }).click()
    const menu = page.getByRole('dialog', { name: 'Switch project' })
    const box = menu.getByRole('combobox')
    await page.getByRole('option', { name: /Billing/ }).waitFor()
    await page.evaluate(() => globalThis.mock?.hold('Projects'))
    await box.fill('i')
    await page.keyboard.press('Enter')
    await page.evaluate(() => globalThis.mock?.answer())
    await menu.getByRole('option', { selected: true }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/projects')
    await page.evaluate(() => globalThis.mock?.hold('Projects'))
    await box.fill('billing')
    await page.keyboard.press('Enter')
    await box.fill('warehouse')
    await page.evaluate(() => globalThis.mock?.answer())
    await page.getByRole('option', { name: /Warehouse/, selected: true }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/projects')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Warehouse', exact: true }).waitFor()
  })

  story(
    'the menus of the header take the focus, are left by Escape, and a second press closes them',
    async ({ page }) => {
      await atHome(page)
      const button = page.getByRole('button', { name: 'Your account' })
      const menu = page.getByRole('dialog', { name: 'Your account' })
      const holds = () => menu.evaluate((box) => box.contains(document.activeElement))
      await button.focus()
      await page.keyboard.press('Enter')
      await menu.waitFor()
      await expect.poll(holds).toBe(true)
      expect(await button.getAttribute('aria-expanded')).toBe('true')
      await page.keyboard.press('Escape')
      await menu.waitFor({ state: 'detached' })
      await expect.poll(() => button.evaluate((box) => box === document.activeElement)).toBe(true)
      await button.click()
      await menu.waitFor()
      await button.click()
      await menu.waitFor({ state: 'detached' })
      await button.click()
      await menu.waitFor()
      await page.locator('#content').click({ position: { x: 5, y: 5 } })
      await menu.waitFor({ state: 'detached' })
    },
  )

  story('a dialog takes the focus to its first field and gives it back', async ({ page }) => {
    await page.goto('/projects')
    const button = page.getByRole('button', { name: 'Create project' })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.getByLabel('Display name').waitFor()
    await expect
      .poll(() => page.getByLabel('Display name').evaluate((box) => box === document.activeElement))
      .toBe(true)
    await page.keyboard.press('Escape')
    await expect.poll(() => button.evaluate((box) => box === document.activeElement)).toBe(true)
  })

  story('an alert is opened, silenced and left without a pointer', async ({ page }) => {
    await page.goto('/alerts')
    const first = page.getByRole('list', { name: 'Firing', exact: true }).getByRole('link').first()
    await first.waitFor()
    await page.keyboard.press('j')
    await expect.poll(() => first.evaluate((link) => link === document.activeElement)).toBe(true)
    await page.keyboard.press('Enter')
    const panel = page.getByRole('dialog', { name: 'A production runtime is offline' })
    await panel.getByRole('button', { name: 'Silence', exact: true }).focus()
    await page.keyboard.press('Enter')
    const silence = page.getByRole('dialog', { name: 'Begin a silence' })
    // A dialog that opens puts the focus where it begins: what is typed before that would go there.
    await expect.poll(() => silence.evaluate((box) => box.contains(document.activeElement))).toBe(true)
    const reason = silence.getByLabel('Reason')
    await reason.focus()
    await page.keyboard.type('It is being replaced')
    await expect.poll(() => reason.inputValue()).toBe('It is being replaced')
    await page.keyboard.press('Enter')
    await silence.waitFor({ state: 'detached' })
    await panel.getByText('Silenced', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
  })

  story('a moment of a chart is chosen in its table, and its logs are one key away', async ({ page }) => {
    await page.goto('/projects/order-service/integrations/order-create/metrics')
    const errors = page.getByRole('region', { name: 'Error rate', exact: true })
    await errors.locator('summary').focus()
    await page.keyboard.press('Enter')
    await errors.getByRole('table').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await expect.poll(() => focused(page)).toMatch(/^\d\d:\d\d$/)
    await page.keyboard.press('Enter')
    await expect.poll(() => focused(page)).toBe('Logs of this moment')
    await page.getByRole('link', { name: 'Processes' }).focus()
    await page.keyboard.press('j')
    await expect.poll(() => focused(page)).toBe('GET /orders/{id}')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'GET /orders/{id}', pressed: true }).waitFor()
  })

  story('exact times are shown to the keyboard too', async ({ page }) => {
    await page.goto('/runtimes')
    await page.getByRole('link', { name: 'dunning-dev-1' }).waitFor()
    await page.keyboard.press('j')
    await page
      .getByRole('tooltip')
      .getByText(/Since .*UTC/)
      .waitFor()
  })

  story('a request is followed without a pointer: the list, the waterfall, a span, and back', async ({ page }) => {
    await atHome(page)
    await inPalette(page, 'traces')
    await page.getByRole('option', { name: 'Traces', exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'POST /orders' }).first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    const tree = page.getByRole('tree', { name: 'Waterfall' })
    await tree.waitFor()
    await page.locator('#content').focus()
    for (let presses = 0; presses < 30; presses++) {
      if (await tree.evaluate((box) => box === document.activeElement)) break
      await page.keyboard.press('Tab')
    }
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'validate' }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => tree.evaluate((box) => box === document.activeElement)).toBe(true)
  })

  story('the palette leads back to where one was, and to any runtime by its name', async ({ page }) => {
    await page.goto('/environments')
    await page.getByText('Staging').first().waitFor()
    await pressGo(page, 'p')
    await page.getByRole('link', { name: 'Billing' }).click()
    // Until the name comes, the page is called by its handle, `billing`.
    await page.getByRole('heading', { level: 1, name: 'Billing', exact: true }).waitFor()
    await pressGo(page, 'e')
    await page.getByRole('heading', { level: 1, name: 'Environments', exact: true }).waitFor()
    await inPalette(page, '')
    const before = page.getByRole('group', { name: 'Where you were' })
    await before.getByRole('option', { name: /Billing/ }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Billing', exact: true }).waitFor()

    await inPalette(page, 'crm-bridge-dev-1')
    await page
      .getByRole('group', { name: 'Runtimes' })
      .getByRole('option', { name: /crm-bridge-dev-1/ })
      .waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: /crm-bridge-dev-1/ }).waitFor()
  })

  story('who leaves a page before its name comes finds it again by the name that is known', async ({ page }) => {
    await page.goto('/projects/billing')
    const head = page.getByRole('heading', { level: 1 })
    await head.and(page.getByText('Billing', { exact: true })).waitFor()
    await page.goto('/projects')
    await page.getByRole('link', { name: 'Billing' }).waitFor()
    await page.evaluate(() => globalThis.mock?.hold('Project'))
    await page.getByRole('link', { name: 'Billing' }).click()
    await head.and(page.getByText('billing', { exact: true })).waitFor()
    await pressGo(page, 'e')
    await head.and(page.getByText('Environments', { exact: true })).waitFor()
    await inPalette(page, '')
    const before = page.getByRole('group', { name: 'Where you were' })
    await before.getByRole('option', { name: /Billing/ }).waitFor()
  })

  story(
    'the palette restarts a runtime through the confirmation of its page',
    async ({ page }) => {
      await atHome(page)
      await inPalette(page, 'restart order-create-dev')
      await page.getByRole('option', { name: /^Restart order-create-dev-1/ }).waitFor()
      await page.keyboard.press('Enter')
      const dialog = page.getByRole('dialog', { name: /order-create-dev-1/ })
      await dialog.waitFor()
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
      expect(new URL(page.url()).searchParams.has('act')).toBe(false)
      await inPalette(page, 'logs of order-create-dev')
      await page.getByRole('option', { name: /^Logs of order-create-dev-1/ }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: /^Logs of/ }).waitFor()
      expect(new URL(page.url()).searchParams.get('runtime')).toBeTruthy()
    },
    { timeoutMs: 60_000 },
  )

  story(
    'what the palette cannot do says why',
    async ({ page }) => {
      await atHome(page)
      await inPalette(page, 'restart order-create-dev')
      const option = page.getByRole('option', { name: /^Restart order-create-dev-1/ })
      await option.getByText('integration_mgt:edit').waitFor()
      expect(await option.getAttribute('aria-disabled')).toBe('true')
      await page.keyboard.press('Enter')
      // A reader heard it with the option: what lies under the palette is hidden from it.
      await page.locator('[role="status"]').getByText('integration_mgt:edit').waitFor()
      expect(new URL(page.url()).pathname).toBe('/')
    },
    { as: 'lars', timeoutMs: 60_000 },
  )
})
