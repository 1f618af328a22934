import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent?.trim())

stories('Keyboard only', (story) => {
  story('skip link, palette, rows, search, sheet, switcher: all without a pointer', async ({ page }) => {
    await page.goto('/')
    await page.getByRole('heading', { name: 'What is not well' }).waitFor()
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Skip to content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content')

    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').waitFor()
    await page.keyboard.type('project')
    await page.getByRole('option', { name: 'Projects', exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Projects' }).waitFor()

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
    await page.getByRole('heading', { level: 1, name: 'Warehouse' }).waitFor()

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
    await page.getByRole('heading', { level: 1, name: 'Customer 360' }).waitFor()

    await page.getByRole('button', { name: /Switch integration/ }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('option', { name: /CRM Bridge/ }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => focused(page)).toBe('All integrations')

    await page.locator('#content').focus()
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await page.getByRole('heading', { level: 1, name: 'Runtimes' }).waitFor()
  })

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

  story('exact times are shown to the keyboard too', async ({ page }) => {
    await page.goto('/runtimes')
    await page.getByRole('link', { name: 'dunning-dev-1' }).waitFor()
    await page.keyboard.press('j')
    await page
      .getByRole('tooltip')
      .getByText(/Since .*UTC/)
      .waitFor()
  })
})
