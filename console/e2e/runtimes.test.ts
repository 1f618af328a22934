import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const card = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
const live = (page: Page) => page.locator('[data-line=live]').waitFor()

stories('Runtimes', (story) => {
  story('Add Runtime: choose, generate, copy, wait for the first heartbeat', async ({ page }) => {
    await page.goto('/runtimes')
    await page.getByRole('button', { name: 'Add Runtime: Development' }).click()
    const dialog = page.getByRole('dialog', { name: 'Add Runtime' })
    expect(await dialog.getByLabel('Environment').inputValue()).toBe('dev')
    await dialog.getByRole('button', { name: 'Generate Secret' }).click()
    const snippet = dialog.getByRole('figure', { name: 'Config.toml' })
    await snippet.getByText('[wso2.icp.runtime.bridge]').waitFor()
    const toml = await snippet.locator('pre').textContent()
    expect(toml).toContain('project = "<project-name>"')
    await dialog.getByText('This secret is shown once.').waitFor()
    await dialog
      .getByText('Put import pilothouse_bridge.auto as the first import of your program.', { exact: true })
      .waitFor()
    await dialog.getByText('Waiting for the first heartbeat…').waitFor()
    const secret = /secret = "([^"]+)"/.exec(toml ?? '')?.[1] ?? 'none'
    const kept = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }]))
    expect(kept).not.toContain(secret)

    await page.keyboard.press('Escape')
    await dialog.getByText('You have not copied Config.toml.').waitFor()
    await snippet.getByRole('button', { name: 'Copy' }).click()
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain(secret)
    await dialog.getByText(/Got it: my-laptop-\w+ is/).waitFor()
    await dialog.getByRole('link', { name: 'Open the runtime' }).click()
    await page.getByRole('heading', { level: 1, name: /my-laptop/ }).waitFor()
  })

  story('from an integration the snippet is filled in', async ({ page }) => {
    await page.goto('/projects/order-service/integrations/order-create/runtimes')
    await page.getByRole('button', { name: 'Add Runtime: Staging' }).click()
    await page.getByText('The secret will belong to order-service / order-create.').waitFor()
    await page.getByRole('button', { name: 'Generate Secret' }).click()
    const toml = await page.getByRole('figure', { name: 'Config.toml' }).locator('pre').textContent()
    expect(toml).toContain('project = "order-service"\nintegration = "order-create"')
  })

  story('a status changes in place, with its reason', async ({ page }) => {
    await page.goto('/runtimes')
    await live(page)
    const row = card(page, 'Production').getByRole('row', { name: /stock-level-prod-3/ })
    await row.getByText('Running').waitFor()
    const before = await row.boundingBox()
    await page.evaluate(() => globalThis.mock?.silence('rt-stock-level-prod-3'))
    await row.getByText('Offline', { exact: true }).waitFor()
    await row.getByText(/No heartbeat from 10\.0\.3\.9 since/).waitFor()
    const after = await row.boundingBox()
    expect({ ...after, height: 0 }).toEqual({ ...before, height: 0 })
    await card(page, 'Production').getByText('3 offline').waitFor()
  })

  story(
    'new runtimes wait while somebody points at the table, and appear by themselves otherwise',
    async ({ page }) => {
      await page.goto('/runtimes?environment=dev')
      await live(page)
      await page.getByRole('link', { name: 'dunning-dev-1' }).hover()
      await page.evaluate(() => {
        for (const name of ['a-new-one', 'c-new-one']) globalThis.mock?.register(name)
      })
      await page.getByRole('button', { name: '2 new' }).waitFor()
      expect(await page.getByRole('link', { name: 'a-new-one' }).count()).toBe(0)
      await page.getByRole('button', { name: '2 new' }).click()
      await page.getByRole('link', { name: 'c-new-one' }).waitFor()
      await page.getByRole('link', { name: 'a-new-one' }).waitFor()
      await page.evaluate(() => globalThis.mock?.register('b-new-one'))
      await page.getByRole('link', { name: 'b-new-one' }).waitFor()
    },
  )

  story('a line that is cut says since when, comes back, and brings what was missed', async ({ page, complaints }) => {
    await page.goto('/runtimes')
    await live(page)
    await page.evaluate(() => globalThis.mock?.cutLines(800))
    await page.getByText(/^Cut off since \d\d:\d\d:\d\d$/).waitFor()
    await page.evaluate(() => globalThis.mock?.silence('rt-stock-level-prod-4'))
    await live(page)
    await card(page, 'Production')
      .getByRole('row', { name: /stock-level-prod-4/ })
      .getByText('Offline', { exact: true })
      .waitFor()
    complaints.splice(0)
  })

  story('refused heartbeats are explained with their fix', async ({ page }) => {
    await page.goto('/runtimes')
    await page.getByText('45 heartbeats were refused.').waitFor()
    await page.getByRole('button', { name: 'Show why' }).click()
    const panel = page.getByRole('dialog', { name: 'Refused heartbeats' })
    await panel.getByText('Synchronise the clock of the runtime’s machine (NTP).').waitFor()
    expect(new URL(page.url()).searchParams.get('refusals')).toBe('true')
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
  })

  for (const width of [390, 1_024, 1_280, 1_440, 1_920]) {
    story(`at ${width} px the reason is readable in full and the columns line up`, async ({ page }) => {
      await page.setViewportSize({ width, height: 900 })
      await page.goto('/runtimes')
      const reason = page.getByText(/No heartbeat from 10\.0\.3\.8 since.*it cannot reach this server\.$/)
      await reason.waitFor()
      const cut = await reason.evaluate(
        (box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight,
      )
      expect(cut).toBe(false)
      const lines = await reason.evaluate((box) => Math.round((box.clientHeight - 8) / 16))
      expect(lines).toBeLessThanOrEqual(width === 390 ? 4 : 2)
      const [dev, prod] = await Promise.all(
        ['Development', 'Production'].map((name) =>
          card(page, name)
            .getByRole('columnheader')
            .evaluateAll((heads) =>
              heads.map((head) => [head.textContent, Math.round(head.getBoundingClientRect().x)]),
            ),
        ),
      )
      expect(dev).toEqual(prod)
      const sideways = await page.evaluate(() =>
        [...document.querySelectorAll('main [role=group]')].some((box) => box.scrollWidth > box.clientWidth),
      )
      expect(sideways).toBe(false)
    })
  }

  story('identities stay on one line and are copied with one press', async ({ page }) => {
    for (const width of [1_440, 1_280, 360]) {
      await page.setViewportSize({ width, height: 900 })
      await page.goto('/runtimes/rt-dunning-dev-1')
      const id = page.getByText(/^[0-9a-f]{8}-[0-9a-f]{4}-4/)
      await id.waitFor()
      expect((await id.boundingBox())?.height).toBeLessThan(20)
      await page.getByRole('button', { name: 'Copy Runtime id' }).click()
      await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(await id.textContent())
    }
  })

  story('what a runtime hosts stands by path, then by method', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-prod-1')
    const orders = page.getByRole('region', { name: 'Orders' })
    await orders.getByText('/changes', { exact: true }).waitFor()
    const rows = await orders.locator('tbody tr').evaluateAll((all) => all.map((row) => row.children[0]?.textContent))
    expect(rows).toEqual(['GET', 'POST', 'WEBSOCKET', 'DELETE', 'GET', 'PATCHPUT', 'GET'])
  })

  story('the title of the page is announced when one comes to it', async ({ page }) => {
    await page.goto('/runtimes')
    await page.getByRole('link', { name: 'dunning-dev-1' }).waitFor()
    await page.waitForTimeout(400)
    expect(await page.locator('[data-announcer]').textContent()).toBe('')
    await page.getByRole('link', { name: 'dunning-dev-1' }).click()
    await page.locator('[data-announcer]', { hasText: /^dunning-dev-1$/ }).waitFor({ state: 'attached' })
  })

  story('a runtime page shows what it hosts, and narrows it', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-prod-1')
    await page.getByRole('heading', { level: 1, name: 'order-create-prod-1', exact: true }).waitFor()
    await page.getByText('app/routes/orders.py:31').waitFor()
    await page.getByLabel('Filter loggers').fill('uvicorn')
    await page.getByRole('cell', { name: 'uvicorn.access' }).waitFor()
    await expect.poll(() => page.getByRole('cell', { name: 'httpx' }).count()).toBe(0)
    expect(new URL(page.url()).searchParams.get('filter')).toBe('uvicorn')
  })
})
