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
    await page.evaluate(() => globalThis.mock?.expire(true))
    await page.getByLabel('Search projects').fill('ware')
    await page.getByRole('heading', { name: 'Sign in to Pilothouse' }).waitFor()
    await page.getByText('Your session has ended.').waitFor()
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

  story('an access that ends is renewed once and silently: nobody notices', async ({ page, complaints }) => {
    await page.goto('/projects')
    await page.getByRole('link', { name: 'Billing' }).waitFor()
    await page.evaluate(() => globalThis.mock?.expire())
    await page.getByLabel('Search projects').fill('ware')
    await page.getByRole('link', { name: 'Billing' }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Warehouse' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/projects')
    expect(await page.evaluate(() => globalThis.mock?.refreshes())).toBe(1)
    complaints.splice(0)
  })

  story(
    'with single sign-on alone there is one button, and it leads back to where one was going',
    async ({ page }) => {
      await page.goto('/sign-in?to=%2Fenvironments&problem=PROVIDER_UNAVAILABLE')
      const link = page.getByRole('link', { name: 'Sign in with Acme SSO' })
      await link.waitFor()
      expect(await link.getAttribute('href')).toBe('/auth/oidc/start?returnTo=%2Fenvironments')
      expect(await page.getByLabel('Username').count()).toBe(0)
      await page.getByText('The identity provider does not answer.').waitFor()
    },
    { signedIn: false, methods: { password: false, oidc: { displayName: 'Acme SSO' } } },
  )

  story(
    'a first password must be changed before anything else, and leads on to where one was going',
    async ({ page, complaints }) => {
      await page.goto('/environments')
      await page.getByLabel('Username').fill('otto')
      await page.getByLabel('Password', { exact: true }).fill('pilothouse')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Choose a password of your own' }).waitFor()
      await page.goto('/projects')
      await page.getByRole('heading', { name: 'Choose a password of your own' }).waitFor()
      await page.getByLabel('Current password').fill('pilothouse')
      await page.getByLabel('New password', { exact: true }).fill('short')
      await page.getByText('Use at least 8 characters.').waitFor()
      await page.getByLabel('New password', { exact: true }).fill('long enough now')
      await page.getByLabel('New password again').fill('long enough now')
      await page.getByRole('button', { name: 'Change password' }).click()
      await page.getByRole('heading', { level: 1, name: 'Projects', exact: true }).waitFor()
      complaints.splice(0)
    },
    { signedIn: false },
  )

  story('a command line is allowed by its code, and a wrong code says so', async ({ page }) => {
    await page.goto('/device')
    await page.getByLabel('Code').fill('aaaa-bbbb')
    await page.keyboard.press('Enter')
    await page.getByText('This code is wrong, used or too old.').waitFor()
    await page.goto('/device?userCode=BCDF-GHJK')
    await page.getByText('pilothouse 0.1.0 on build-7').waitFor()
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByText('The command line goes on by itself.').waitFor()
  })

  story('a token carries only what is chosen, is shown once, and is revoked', async ({ page }) => {
    await page.goto('/profile')
    const tokens = page.getByRole('region', { name: 'API tokens' })
    await tokens.getByRole('button', { name: 'Create token' }).click()
    const form = page.getByRole('dialog', { name: 'Create token' })
    await form.getByLabel('Name').fill('deploy')
    await form.getByRole('radio', { name: 'Only these permissions' }).check()
    await form.getByRole('checkbox', { name: /integration_mgt:edit/ }).check()
    // What it contains is ticked with it.
    expect(await form.getByRole('checkbox', { name: /integration_mgt:view/ }).isChecked()).toBe(true)
    await form.getByRole('button', { name: 'Create token' }).click()
    const shown = page.getByRole('dialog', { name: 'deploy' })
    await shown.getByText('This token is shown once.').waitFor()
    const secret = (await shown.locator('pre').textContent()) ?? ''
    expect(secret).toMatch(/^pht_/)
    await shown.getByRole('button', { name: 'Copy', exact: true }).click()
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(secret)
    await shown.getByRole('button', { name: 'Done' }).click()
    await tokens.getByRole('button', { name: 'Revoke deploy' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('Token deploy is revoked.').waitFor()
    expect(await page.content()).not.toContain(secret)
  })
})
