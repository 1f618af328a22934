import { expect } from 'vitest'
import { stories } from './story'

stories('The overview', (story) => {
  story('what is not well comes worst first, each with its cause and where to look next', async ({ page }) => {
    await page.goto('/')
    const card = page.getByRole('region', { name: 'What is not well' })
    await card.getByRole('link', { name: 'order-status-prod-3', exact: true }).waitFor()
    const told = (await card.getByRole('listitem').allInnerTexts()).map((text) => text.replaceAll('\n', ' '))
    const place = (words: string) => told.findIndex((text) => text.includes(words))
    expect(place('Orders fail')).toBe(0)
    expect(told[place('order-status-prod-3')]).toContain('No heartbeat from 10.0.3.9')
    expect(place('order-status-prod-3')).toBeLessThan(place('dunning-dev-1'))
    expect(place('dunning-dev-1')).toBeLessThan(place('The secret k7m2q9xd ends in 6 days'))
    // What an alert says of a silent runtime is said once.
    expect(told.filter((text) => text.includes('order-status-prod-3'))).toHaveLength(1)
    await card.getByRole('link', { name: 'Log lines before the silence: order-status-prod-3' }).click()
    await page.getByRole('heading', { level: 1, name: /Logs/ }).waitFor()
    const asked = new URL(page.url()).searchParams
    expect(Date.parse(asked.get('to') ?? '') - Date.parse(asked.get('from') ?? '')).toBe(16 * 60_000)
  })

  story('a count opens the list of just those', async ({ page }) => {
    await page.goto('/')
    await page.getByRole('link', { name: '3 offline' }).click()
    await page.getByRole('link', { name: 'dunning-dev-1', exact: true }).waitFor()
    await expect.poll(() => new URL(page.url()).search).toBe('?status=OFFLINE')
    expect(await page.getByRole('link', { name: 'order-create-dev-1' }).count()).toBe(0)
  })

  story(
    'a count of what is not as wanted opens just those places, and each says where it is told',
    async ({ page }) => {
      await page.goto('/')
      await page.getByRole('link', { name: /with failed artifacts$/ }).click()
      await page.getByRole('heading', { level: 1, name: 'Drift', exact: true }).waitFor()
      await expect.poll(() => new URL(page.url()).search).toBe('?trouble=FAILED')
      const list = page.getByRole('group', { name: 'what is not as wanted' })
      await list.getByRole('link', { name: 'Invoice Sync', exact: true }).waitFor()
      const all = await list.getByRole('row').count()
      await page.getByRole('combobox', { name: 'Project' }).selectOption('billing')
      await expect.poll(() => new URL(page.url()).searchParams.get('project')).toBe('billing')
      await expect.poll(() => list.getByRole('row').count()).toBeLessThanOrEqual(all)
      await list
        .getByRole('link', { name: /failed: Invoice Sync/ })
        .first()
        .click()
      await page.getByRole('checkbox', { name: 'Only what failed' }).and(page.locator(':checked')).waitFor()
      await page.getByRole('table').getByRole('cell', { name: 'Consumer' }).first().waitFor()
      await page.goto('/drift?trouble=UNREACHED')
      await list
        .getByRole('link', { name: /^\d+ changes?: / })
        .first()
        .click()
      await page.getByRole('heading', { level: 1, name: /^Steer/ }).waitFor()
      expect(new URL(page.url()).searchParams.get('differing')).toBe('true')
    },
  )

  story('a project tells what is not well in it, and nothing of the others', async ({ page }) => {
    await page.goto('/projects/order-service')
    const card = page.getByRole('region', { name: 'What is not well' })
    await card.getByRole('link', { name: 'order-status-prod-3', exact: true }).waitFor()
    expect(await card.getByText('dunning-dev-1').count()).toBe(0)
    await card.getByRole('link', { name: 'Its commands: order-status-prod-2' }).click()
    await page.getByRole('region', { name: 'Commands' }).getByText('4 attempts').waitFor()
  })
})
