import { expect } from 'vitest'
import { stories } from './story'

stories('Logs', (story) => {
  story('lines are read, narrowed by level and word, opened, and seen in their surroundings', async ({ page }) => {
    await page.goto('/logs')
    await page.getByRole('heading', { level: 1, name: 'Logs' }).waitFor()
    const lines = page.getByRole('list', { name: 'Logs' }).getByRole('listitem')
    await lines.first().waitFor()
    await page.getByLabel('Level', { exact: true }).selectOption({ label: 'Error and worse' })
    await expect.poll(() => page.getByText('INFO', { exact: true }).count()).toBe(0)
    await lines
      .first()
      .getByRole('button', { name: /card has expired/ })
      .click()
    await page.getByText('CardExpired').first().waitFor()
    await page.getByRole('button', { name: 'Around this line' }).click()
    const around = page.getByRole('dialog', { name: 'Around this line' })
    await expect.poll(() => around.getByRole('listitem').count()).toBeGreaterThan(5)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Lines of this trace' }).click()
    await expect.poll(() => lines.count()).toBe(1)
    expect(new URL(page.url()).searchParams.get('trace')).toMatch(/^[0-9a-f]{32}$/)
  })

  story('what a program says appears in the tail, and waits while somebody points at the list', async ({ page }) => {
    const say = (message: string, level: 'ERROR' | 'WARN') =>
      page.evaluate(([text, severity]) => globalThis.mock?.say(text, severity), [message, level] as const)
    await page.goto('/logs?live=true')
    await page.getByRole('switch', { name: 'Live' }).waitFor()
    await page.getByRole('list', { name: 'Logs' }).waitFor()
    await say('The ship has come in', 'ERROR')
    await page.getByText('The ship has come in').waitFor()
    await page.getByRole('list', { name: 'Logs' }).hover()
    await say('Another ship has come in', 'WARN')
    await page.getByRole('button', { name: /new line/ }).waitFor()
    await page.getByRole('heading', { level: 1 }).hover()
    await page.getByText('Another ship has come in').waitFor()
  })

  story('a bar of the histogram leads to its time, and the download asks for what is shown', async ({ page }) => {
    await page.goto('/logs?level=ERROR')
    const bars = page.getByRole('region', { name: 'Lines by level over time' }).getByRole('button')
    await bars.and(page.locator(':not([disabled])')).first().click()
    await expect.poll(() => new URL(page.url()).searchParams.get('from')).toBeTruthy()
    const address = await page.getByRole('link', { name: 'Download' }).getAttribute('href')
    const asked = new URLSearchParams(address?.split('?')[1])
    expect(asked.getAll('level')).toEqual(['ERROR', 'FATAL'])
    expect(asked.get('from')).toBeTruthy()
  })
})
