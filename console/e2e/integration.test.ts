import { expect } from 'vitest'
import { stories } from './story'

stories('One integration', (story) => {
  story('its copies stand side by side, and what is asked stands against what they report', async ({ page }) => {
    await page.goto('/projects/order-service/integrations/order-status')
    const production = page.getByRole('listitem').filter({ hasText: 'Production' }).first()
    await production.getByText('1 is not as asked, or not the same').waitFor()
    await production.getByText(/^Asked: DEBUG by ada/).waitFor()
    const copies = production.getByRole('listitem').filter({ hasText: 'prod-node-' })
    await expect.poll(() => copies.count()).toBe(4)
    // What is not well stands first.
    expect(await copies.first().textContent()).toContain('A change has stalled')
    await production.getByRole('link', { name: 'order_status.client' }).click()
    await page.getByRole('heading', { level: 3, name: 'order_status.client' }).waitFor()
    expect(new URL(page.url()).searchParams.get('environment')).toBe('prod')
  })

  story('copies that do not host the same are told of, and the difference is one click away', async ({ page }) => {
    await page.goto('/projects/order-service/integrations/order-create')
    const production = page.getByRole('listitem').filter({ hasText: 'Production' }).first()
    await production.getByText('missing on 1 runtime').waitFor()
    await page.getByText('all host the same').first().waitFor()
    await production.getByRole('link', { name: '3 artifacts differ between them' }).click()
    await page.getByRole('heading', { level: 1, name: /artifacts/ }).waitFor()
    await expect.poll(() => page.getByRole('checkbox', { name: 'Only what differs' }).isChecked()).toBe(true)
    await page.getByRole('row', { name: /order\.created/ }).waitFor()
  })
})
