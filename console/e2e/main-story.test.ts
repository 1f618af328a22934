import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { pressGo } from './browser'
import { stories } from './story'

/** Presses Tab, as one does, until what is wanted has the focus. */
async function reach(page: Page, wanted: Locator, within = 80): Promise<void> {
  await wanted.waitFor()
  for (let presses = 0; presses < within; presses++) {
    if (await wanted.evaluate((box) => box === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`${wanted} is not reached by ${within} presses of Tab`)
}

/** Into the page, past the frame, as the skip link does. */
async function skip(page: Page): Promise<void> {
  await page.locator('#content').evaluate((box: HTMLElement) => box.focus())
}

stories('The main story', (story) => {
  story(
    'by keyboard alone: signed in, from what is not well to its runtime; stopped and started; heard',
    async ({ page, complaints }) => {
      // No pointer is used: one that is pressed anywhere would be seen.
      await page.addInitScript(() => {
        globalThis.addEventListener('pointerdown', () => {
          throw new Error('a pointer was used')
        })
      })
      await page.goto('/')
      await page.getByRole('heading', { name: 'Sign in to Pilothouse' }).waitFor()
      complaints.splice(0)
      await reach(page, page.getByLabel('Username'))
      await page.keyboard.type('admin')
      await page.keyboard.press('Tab')
      await reach(page, page.getByLabel('Password', { exact: true }))
      await page.keyboard.type('pilothouse')
      await page.keyboard.press('Enter')

      await page.getByRole('heading', { name: 'What is not well' }).waitFor()
      await skip(page)
      await reach(page, page.getByRole('link', { name: 'order-status-prod-3', exact: true }).first())
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: 'order-status-prod-3', exact: true }).waitFor()

      await page.keyboard.press('Control+k')
      await page.getByRole('combobox').waitFor()
      await page.keyboard.type('order create')
      await page
        .getByRole('option', { name: /Order Create/ })
        .first()
        .waitFor()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: 'Order Create', exact: true }).waitFor()
      await pressGo(page, 'd')
      await page.getByRole('heading', { level: 1, name: /Steering of Order Create/ }).waitFor()

      const http = page
        .getByRole('listitem')
        .filter({ has: page.getByRole('heading', { level: 3, name: 'http', exact: true }) })
      const toggle = http.getByRole('switch', { name: 'Listener http: State' })
      await skip(page)
      await reach(page, toggle)
      await page.keyboard.press('Space')
      await reach(page, http.getByRole('button', { name: 'Stop', exact: true }))
      await page.keyboard.press('Enter')
      await expect.poll(() => toggle.getAttribute('aria-checked'), { timeout: 20_000 }).toBe('false')
      await reach(page, toggle)
      await page.keyboard.press('Space')
      await expect.poll(() => toggle.getAttribute('aria-checked'), { timeout: 20_000 }).toBe('true')

      await pressGo(page, 'o')
      await page.getByRole('heading', { name: 'What is not well' }).waitFor()
      await pressGo(page, 'l')
      await page.getByRole('heading', { level: 1, name: /^Logs/ }).waitFor()
      const live = page.getByRole('switch', { name: 'Live' })
      await skip(page)
      await reach(page, live)
      await page.keyboard.press('Space')
      await expect.poll(() => live.getAttribute('aria-checked')).toBe('true')
      await page.evaluate(() => globalThis.mock?.say('The ship has come in', 'ERROR'))
      await page.getByText('The ship has come in').waitFor()
    },
    { signedIn: false, timeoutMs: 120_000 },
  )
})
