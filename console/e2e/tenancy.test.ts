import { expect } from 'vitest'
import { stories } from './story'

stories('Projects, integrations, environments, secrets', (story) => {
  story('a project: handle derived, taken, suggestion used, created, then an integration in it', async ({ page }) => {
    await page.goto('/projects')
    await page.getByRole('button', { name: 'Create project' }).click()
    await page.getByLabel('Display name').fill('Billing')
    await page.getByText('billing is taken.').waitFor()
    await page.getByRole('button', { name: 'Use billing-2' }).click()
    await page.getByText('This handle is free.').waitFor()
    await page.keyboard.press('Tab')
    await page.getByRole('dialog').getByRole('button', { name: 'Create project' }).click()
    await page.getByText('Project Billing is created.').waitFor()
    expect(new URL(page.url()).pathname).toBe('/projects/billing-2')
    await page.getByText('Billing has no integration yet').waitFor()
    await page.getByRole('button', { name: 'Create integration' }).first().click()
    await page.getByLabel('Display name').fill('Tax Report')
    await page.getByRole('radio', { name: /Ballerina/ }).check()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Tax Report' }).waitFor()
    await page.getByText('WSO2 Integrator: BI (Ballerina)').waitFor()
  })

  story('a critical environment is created and marked', async ({ page }) => {
    await page.goto('/environments')
    await page.getByRole('button', { name: 'Create environment' }).click()
    await page.getByLabel('Display name').fill('EU Production')
    await page.getByRole('checkbox', { name: /Critical/ }).check()
    await page.getByRole('dialog').getByRole('button', { name: 'Create environment' }).click()
    await page.getByRole('row', { name: /EU Production critical eu-production/ }).waitFor()
  })

  story('a secret of a critical environment is revoked only after its handle is typed', async ({ page }) => {
    await page.goto('/secrets?environment=prod')
    const row = page.getByRole('row', { name: /Stock Level/ })
    const keyId = await row.getByRole('cell').first().textContent()
    await row.getByRole('button', { name: /Revoke/ }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText(/8 runtimes use it/).waitFor()
    const submit = dialog.getByRole('button', { name: 'Revoke secret' })
    expect(await submit.getAttribute('aria-disabled')).toBe('true')
    await dialog.getByLabel('Type prod to confirm').fill('prod')
    await submit.click()
    await page.getByText(`Secret ${keyId} is revoked; 8 runtimes need another one.`).waitFor()
    await row.waitFor({ state: 'detached' })
  })
})
