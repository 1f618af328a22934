import { expect } from 'vitest'
import { stories } from './story'

stories('Work that is interrupted', (story) => {
  story('a session that ends under a half-filled form: sign in over it, and go on typing', async (actor) => {
    const { page } = actor
    await page.goto('/projects?search=bill')
    await page.getByRole('link', { name: 'Billing' }).waitFor()
    await page.getByRole('button', { name: 'Create project' }).click()
    await page.getByLabel('Display name').fill('Returns desk')
    await page.evaluate(() => globalThis.mock?.expire(true))
    await page.getByRole('dialog').getByRole('button', { name: 'Create project' }).click()
    const again = page.getByRole('dialog', { name: 'Sign in to Pilothouse' })
    await again.getByText('Your session has ended.').waitFor()
    // Neither Escape nor a press beside it takes anything away.
    await page.keyboard.press('Escape')
    await page.mouse.click(5, 5)
    await again.waitFor()
    expect(await again.getByLabel('Username').inputValue()).toBe('admin')
    await again.getByLabel('Password', { exact: true }).fill('pilothouse')
    await page.keyboard.press('Enter')
    await again.waitFor({ state: 'detached' })
    expect(await page.getByLabel('Display name').inputValue()).toBe('Returns desk')
    await page.getByRole('dialog').getByRole('button', { name: 'Create project' }).click()
    await page.getByText('Project Returns desk is created.').waitFor()
    await page.locator('[data-line=live]').waitFor()
    actor.complaints.splice(0)
  })

  story('another person who signs in there sees nothing of the page that was open', async (actor) => {
    const { page } = actor
    await page.goto('/settings')
    await page.getByText('PILOTHOUSE_HOME').waitFor()
    await page.evaluate(() => globalThis.mock?.expire(true))
    await page.getByRole('button', { name: 'Your account' }).click()
    await page.getByRole('link', { name: 'About' }).click()
    const again = page.getByRole('dialog', { name: 'Sign in to Pilothouse' })
    await again.getByLabel('Username').fill('lars')
    await again.getByLabel('Password', { exact: true }).fill('pilothouse')
    await page.keyboard.press('Enter')
    await again.waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'What is not well' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/')
    actor.complaints.splice(0)
  })

  story(
    'a control plane that is away: said since when, nothing typed is lost, and it goes on by itself',
    async (actor) => {
      const { page } = actor
      await page.goto('/projects')
      await page.locator('[data-line=live]').waitFor()
      await page.getByRole('button', { name: 'Create project' }).click()
      await page.getByLabel('Display name').fill('Returns desk')
      await page.evaluate(() => globalThis.mock?.cutLines(9_000))
      const banner = page.getByRole('region', { name: 'State of the line to the control plane' })
      await banner.getByText(/has not been reached since \d\d:\d\d:\d\d/).waitFor({ timeout: 20_000 })
      await page.getByText('The control plane is reached again').waitFor({ timeout: 40_000 })
      expect(await banner.count()).toBe(0)
      expect(await page.getByLabel('Display name').inputValue()).toBe('Returns desk')
      actor.complaints.splice(0)
    },
    { timeoutMs: 90_000 },
  )

  story('a network that is gone is told at once as such, and its return is used at once', async (actor) => {
    const { page } = actor
    await page.goto('/projects')
    await page.locator('[data-line=live]').waitFor()
    await page.context().setOffline(true)
    try {
      await page.getByText(/This computer has been without a network since/).waitFor()
    } finally {
      await page.context().setOffline(false)
    }
    await page.getByText('The control plane is reached again').waitFor()
    actor.complaints.splice(0)
  })
})
