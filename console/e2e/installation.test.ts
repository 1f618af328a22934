import { expect } from 'vitest'
import { stories } from './story'

stories('What is installed, and what was set', (story) => {
  story('the account menu leads to versions, processes and licences', async ({ page }) => {
    await page.goto('/')
    await page.getByRole('heading', { name: 'What is not well' }).waitFor()
    await page.getByRole('button', { name: 'Your account' }).click()
    await page.getByRole('link', { name: 'About' }).click()
    await page.getByRole('heading', { level: 1, name: 'About', exact: true }).waitFor()
    const plane = page.getByRole('region', { name: 'Control plane', exact: true })
    await plane.getByText('PostgreSQL 17.2').waitFor()
    await plane.getByText('Embedded store').waitFor()
    await page.getByRole('region', { name: 'Processes' }).getByText('answers you').waitFor()
    await page.getByRole('region', { name: 'Packages of the control plane' }).getByText('starlette').waitFor()
    const ours = page.getByRole('region', { name: 'Packages of the console' })
    const react = ours.getByRole('row').filter({ has: page.getByRole('cell', { name: 'react', exact: true }) })
    await react.locator('summary').click()
    await react.getByText('Permission is hereby granted').waitFor()
    // What is written in a style sheet is shipped as well.
    for (const name of ['tailwindcss', '@fontsource-variable/inter', 'uplot'])
      await ours.getByRole('cell', { name, exact: true }).waitFor()
    expect(await ours.getByRole('cell', { name: 'vitest', exact: true }).count()).toBe(0)
  })

  story('settings tell value and origin, no secret, and are narrowed in the address', async ({ page }) => {
    await page.goto('/settings')
    const table = page.getByRole('group', { name: 'Settings' })
    const row = (name: string) => table.getByRole('row').filter({ hasText: name })
    await row('PILOTHOUSE_RUNTIME_PORT').getByText('command line').waitFor()
    await row('PILOTHOUSE_DATABASE_URL').getByText('set, not shown').waitFor()
    await row('PILOTHOUSE_METRICS_TOKEN').getByText('not set').waitFor()
    await page.getByRole('switch', { name: 'Set by somebody' }).click()
    await row('PILOTHOUSE_METRICS_TOKEN').waitFor({ state: 'detached' })
    expect(new URL(page.url()).searchParams.get('changed')).toBe('true')
    await page.getByLabel('Find a setting').fill('nothing like it')
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await row('PILOTHOUSE_SMTP_FROM').waitFor()
  })

  story(
    'who may not manage every environment sees versions, and neither hosts nor settings',
    async ({ page }) => {
      await page.goto('/about')
      await page.getByRole('region', { name: 'Control plane', exact: true }).getByText('0.1.0-mock').waitFor()
      expect(await page.getByText('plane-1').count()).toBe(0)
      await page.goto('/settings')
      await page.getByText('environment_mgt:manage').first().waitFor()
      expect(await page.getByText('PILOTHOUSE_HOME').count()).toBe(0)
      await page.getByRole('button', { name: 'Your account' }).click()
      await page.getByRole('link', { name: 'About' }).waitFor()
      expect(await page.getByRole('link', { name: 'Settings' }).count()).toBe(0)
    },
    { as: 'lars' },
  )
})
