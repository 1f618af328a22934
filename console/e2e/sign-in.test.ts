import { expect } from 'vitest'
import { stories } from './story'

stories('Sign-in', (story) => {
  story(
    'a deep link survives the sign-in, Enter submits, and a wrong password says so',
    async ({ page, complaints }) => {
      await page.goto('/runtimes?environment=prod')
      await page.getByRole('heading', { name: 'Sign in to Pilothouse' }).waitFor()
      expect(new URL(page.url()).searchParams.get('to')).toBe('/runtimes?environment=prod')
      await page.getByLabel('Username').fill('admin')
      await page.getByLabel('Password', { exact: true }).fill('wrong')
      await page.keyboard.press('Enter')
      await page.getByText('Username or password is wrong').waitFor()
      await page.getByLabel('Password', { exact: true }).fill('pilothouse')
      await page.keyboard.press('Enter')
      await page.getByRole('region', { name: 'Production', exact: true }).waitFor()
      expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/runtimes?environment=prod')
      expect(await page.title()).toBe('Runtimes · Pilothouse')
      // The browser itself reports each 401 on its console.
      complaints.splice(0)
    },
    { signedIn: false },
  )

  story(
    'after too many attempts the wait counts down and the button says why it rests',
    async ({ page, complaints }) => {
      await page.goto('/sign-in')
      await page.getByLabel('Username').fill('locked')
      await page.getByLabel('Password', { exact: true }).fill('x')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText(/You can try again in (30|29|28) s/).waitFor()
      expect(await page.getByRole('button', { name: 'Sign in' }).getAttribute('aria-disabled')).toBe('true')
      complaints.splice(0)
    },
    { signedIn: false },
  )

  story('a session that ends leads to the sign-in and back', async ({ page, complaints }) => {
    await page.goto('/projects?search=bill')
    await page.getByRole('link', { name: 'Billing' }).waitFor()
    await page.evaluate(() => globalThis.mock?.expire())
    await page.getByLabel('Search projects').fill('ware')
    await page.getByRole('heading', { name: 'Sign in to Pilothouse' }).waitFor()
    await page.getByLabel('Username').fill('admin')
    await page.getByLabel('Password', { exact: true }).fill('pilothouse')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'Warehouse' }).waitFor()
    complaints.splice(0)
  })

  story('signing out ends the session', async ({ page, complaints }) => {
    await page.goto('/environments')
    await page.getByRole('button', { name: 'Your account' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in to Pilothouse' }).waitFor()
    await page.goto('/environments')
    await page.getByRole('heading', { name: 'Sign in to Pilothouse' }).waitFor()
    complaints.splice(0)
  })
})
