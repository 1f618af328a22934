import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const firing = (page: Page) => page.getByRole('list', { name: 'Firing', exact: true }).getByRole('listitem')

stories('Alerts', (story) => {
  story('from the overview to what fires, with its figure, who was told, and where to look', async ({ page }) => {
    await page.goto('/')
    await page.getByRole('link', { name: '4 alerts are firing', exact: true }).first().click()
    await page.getByRole('heading', { level: 1, name: 'Alerts', exact: true }).waitFor()
    await expect.poll(() => firing(page).count()).toBe(4)
    await firing(page).first().getByText('Critical', { exact: true }).waitFor()
    const orders = firing(page).filter({ hasText: 'Orders fail' })
    await orders.getByText('12.4 %', { exact: true }).waitFor()
    await orders.getByText('above 5 %').waitFor()
    await orders.getByText('Operators: delivered').waitFor()
    await orders.getByText('Order team: not yet delivered, 3 attempts').waitFor()
    await orders.getByRole('link', { name: 'Orders fail' }).click()
    const panel = page.getByRole('dialog', { name: 'Orders fail' })
    await panel.getByText('the mailbox is full').waitFor()
    await panel.getByText(/next attempt in \d+ min/).waitFor()
    expect(new URL(page.url()).searchParams.get('alert')).toBe('al-1')
    await panel.getByRole('link', { name: 'Errors in the logs of that time' }).click()
    await page.getByRole('heading', { level: 1, name: 'Logs of Order Create', exact: true }).waitFor()
    const { pathname, searchParams } = new URL(page.url())
    expect(pathname).toBe('/projects/order-service/integrations/order-create/logs')
    expect(Object.fromEntries(searchParams)).toMatchObject({ environment: 'prod', level: 'ERROR' })
    const before = Date.now() - Date.parse(searchParams.get('from') ?? '')
    expect(before).toBeGreaterThan(14 * 60_000)
  })

  story('what begins to fire appears by itself, and waits while somebody points at the list', async ({ page }) => {
    const fire = (message: string) => page.evaluate((said) => globalThis.mock?.fire(said), message)
    await page.goto('/alerts')
    await expect.poll(() => firing(page).count()).toBe(4)
    await firing(page).last().hover()
    await fire('The runtime dunning-prod-1 is offline.')
    await page.getByRole('button', { name: '1 new alert' }).click()
    await page.getByText('The runtime dunning-prod-1 is offline.').waitFor()
    await page
      .getByRole('navigation', { name: 'Pages' })
      .getByRole('link', { name: /Alerts 5 alerts are firing/ })
      .waitFor()
  })

  story('the history is narrowed to a rule, and read on', async ({ page }) => {
    await page.goto('/alerts')
    const ended = page.getByRole('list', { name: 'Resolved' }).getByRole('listitem')
    await expect.poll(() => ended.count()).toBe(20)
    await page.getByRole('button', { name: 'Show more' }).click()
    await expect.poll(() => ended.count()).toBe(31)
    await page.getByLabel('Rule', { exact: true }).selectOption({ label: 'A production runtime is offline' })
    await expect.poll(() => ended.count()).toBe(1)
    await ended.getByText('Tickets: not delivered, 5 attempts').waitFor()
    await ended.getByText(/lasted 2[34] min/).waitFor()
    expect(new URL(page.url()).searchParams.get('rule')).toBe('ru-offline')
  })

  story('an alert is silenced for a while with a reason, and the silence is ended early', async ({ page }) => {
    await page.goto('/alerts')
    const orders = firing(page).filter({ hasText: 'Orders fail' })
    await orders.getByRole('button', { name: 'Silence Orders fail' }).click()
    const dialog = page.getByRole('dialog', { name: 'Begin a silence' })
    await dialog.getByText(/Nobody is told of what Orders fail finds of Order Service \/ Order Create/).waitFor()
    await dialog.getByLabel('Lasts').selectOption({ label: '4 hours' })
    await dialog.getByRole('button', { name: 'Silence', exact: true }).click()
    await dialog.getByText('Say why nobody needs to be told.').waitFor()
    await dialog.getByLabel('Reason').fill('The supplier is being moved')
    await dialog.getByRole('button', { name: 'Silence', exact: true }).click()
    await page.getByText(/Nobody is told until /).waitFor()
    await orders.getByText('Silenced', { exact: true }).waitFor()
    await page.getByRole('navigation', { name: 'Alerts' }).getByRole('link', { name: 'Silences' }).click()
    const row = page.getByRole('row', { name: /The supplier is being moved/ })
    await row.getByText(/3 h 59 min left|4 h left/).waitFor()
    await row.getByRole('button', { name: /End now/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'End now' }).click()
    await row.waitFor({ state: 'detached' })
    await page.getByRole('switch', { name: 'Those that ended too' }).click()
    await row.getByText('Ended').waitFor()
  })

  story('a rule is made: what is missing stands at its field, and it says in words what it says', async ({ page }) => {
    await page.goto('/alerts/rules')
    await page.getByRole('button', { name: 'Create rule' }).click()
    const dialog = page.getByRole('dialog', { name: 'Create rule' })
    await dialog.getByLabel('When').selectOption({ label: 'Requests take too long' })
    await dialog.getByLabel('Limit, ms').fill('soon')
    await dialog.getByRole('button', { name: 'Create rule' }).click()
    await dialog.getByText('Give the rule a name.').waitFor()
    await dialog.getByText('Give a number from 0 to 3600000.').waitFor()
    await dialog.getByLabel('Name').fill('Orders are slow')
    await dialog.getByLabel('Limit, ms').fill('800')
    await dialog.getByLabel('Percentile').selectOption({ label: 'p99' })
    await dialog.getByLabel('Project').selectOption({ label: 'Order Service' })
    await dialog.getByLabel('Must hold for').selectOption({ label: '10 minutes' })
    await dialog.getByLabel('Say again').selectOption({ label: 'every hour' })
    await dialog.getByRole('checkbox', { name: /On call/ }).check()
    const says =
      'Warning, when the p99 latency of an integration of Order Service is above 800 ms over 5 minutes, and that has lasted 10 minutes. Tells On call, again every hour while it fires, and says when it ends.'
    await dialog.getByText(says).waitFor()
    await dialog.getByRole('button', { name: 'Create rule' }).click()
    await page.getByText('The rule Orders are slow is saved.').waitFor()
    await page
      .getByRole('row', { name: /Orders are slow/ })
      .getByText(says)
      .waitFor()
  })

  story('what the control plane refuses stands at its field, and nothing typed is lost', async ({ page }) => {
    await page.goto('/alerts/rules?rule=ru-cards')
    await page.getByRole('dialog', { name: 'Cards are refused' }).getByRole('button', { name: 'Edit' }).click()
    const dialog = page.getByRole('dialog', { name: 'Edit Cards are refused' })
    await dialog.getByLabel('Pattern').fill('card (')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByText(/is not a regular expression/).waitFor()
    expect(await dialog.getByLabel('Pattern').getAttribute('aria-invalid')).toBe('true')
    expect(await dialog.getByLabel('Pattern').inputValue()).toBe('card (')
    await dialog.getByLabel('Pattern').fill('card refused')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByText('The rule Cards are refused is saved.').waitFor()
  })

  story('a rule that fires is switched off only after it was asked, and one is deleted', async ({ page }) => {
    await page.goto('/alerts/rules')
    const row = page.getByRole('row', { name: /Orders fail/ })
    await row.getByRole('switch').click()
    const asked = page.getByRole('dialog', { name: 'Switch Orders fail off?' })
    await asked.getByText(/Its alert that fires is resolved/).waitFor()
    await asked.getByRole('button', { name: 'Switch off' }).click()
    await row.getByText('Off', { exact: true }).waitFor()
    await row.getByRole('link', { name: 'Orders fail' }).click()
    await page.getByRole('dialog', { name: 'Orders fail' }).getByRole('button', { name: 'Delete' }).click()
    await page
      .getByRole('dialog', { name: 'Delete the rule Orders fail?' })
      .getByRole('button', { name: 'Delete rule' })
      .click()
    await page.getByText('The rule Orders fail is deleted.').waitFor()
    await row.waitFor({ state: 'detached' })
  })

  story('a webhook: refused, made, its secret shown once and kept nowhere, tested', async ({ page }) => {
    await page.goto('/alerts/channels')
    await page.getByRole('button', { name: 'Create channel' }).click()
    const dialog = page.getByRole('dialog', { name: 'Create channel' })
    await dialog.getByLabel('Name').fill('Status page')
    await dialog.getByLabel('URL').fill('http://status.example/hook')
    await dialog.getByRole('button', { name: 'Create channel' }).click()
    await dialog.getByText(/Notices are sent over HTTPS/).waitFor()
    await dialog.getByLabel('URL').fill('https://status.example/hook')
    await dialog.getByRole('button', { name: 'Create channel' }).click()
    const once = page.getByRole('dialog', { name: 'Signing secret of Status page' })
    await once.getByText('This secret is shown once.').waitFor()
    const secret = (await once.getByRole('figure').locator('pre').textContent()) ?? ''
    expect(secret.length).toBeGreaterThan(20)
    await once.getByRole('button', { name: 'Copy', exact: true }).click()
    await once.getByRole('button', { name: 'Done' }).click()
    await once.waitFor({ state: 'detached' })
    const kept = await page.evaluate(() =>
      JSON.stringify([location.href, document.body.innerHTML, { ...localStorage }, { ...sessionStorage }]),
    )
    expect(kept).not.toContain(secret)
    await page.getByRole('button', { name: 'Test Status page' }).click()
    await page.getByText('The test message to Status page was delivered.').waitFor()
  })

  story('a test that fails says why, and a channel that rules tell is not deleted', async ({ page }) => {
    await page.goto('/alerts/channels')
    const row = page.getByRole('row', { name: /Order team/ })
    await row.getByRole('button', { name: 'Test Order team' }).click()
    await row.getByText(/The test message to Order team was not delivered\. .*the mailbox is full/).waitFor()
    await row.getByRole('button', { name: 'Delete Order team' }).click()
    const dialog = page.getByRole('dialog', { name: 'Delete the channel Order team?' })
    await dialog.getByRole('button', { name: 'Delete channel' }).click()
    await dialog.getByText(/Rules send to Order team: Orders fail\. Take the channel out of them first\./).waitFor()
    await page.keyboard.press('Escape')
    await row.waitFor()
  })

  story(
    'who may only look sees alerts, rules and silences, and why channels are closed and nothing can be changed',
    async ({ page }) => {
      const why = 'You need the permission alert_mgt:manage here.'
      await page.goto('/alerts')
      const orders = firing(page).filter({ hasText: 'Orders fail' })
      const silence = orders.getByRole('button', { name: 'Silence Orders fail' })
      await silence.hover()
      expect(await silence.getAttribute('aria-disabled')).toBe('true')
      await page.getByRole('tooltip').getByText(why).waitFor()
      const tabs = page.getByRole('navigation', { name: 'Alerts' })
      expect(await tabs.getByRole('link').allTextContents()).toEqual(['Alerts', 'Rules', 'Channels', 'Silences'])
      const channels = tabs.getByRole('link', { name: 'Channels' })
      expect(await channels.getAttribute('aria-disabled')).toBe('true')
      expect(await channels.getAttribute('data-tip')).toBe(why)
      await tabs.getByRole('link', { name: 'Rules' }).click()
      await page.getByRole('row', { name: /Orders fail/ }).waitFor()
      const resting = [
        page.getByRole('button', { name: 'Create rule' }),
        page.getByRole('switch', { name: 'Orders fail: switched on' }),
      ]
      for (const each of resting) expect(await each.getAttribute('aria-disabled')).toBe('true')
      await page.goto('/alerts/rules?create=true')
      await page.getByRole('row', { name: /Orders fail/ }).waitFor()
      expect(await page.getByRole('dialog').count()).toBe(0)
      await page.goto('/alerts/channels')
      await page.getByRole('heading', { name: 'Channels are not open to you' }).waitFor()
      expect(await page.evaluate(() => globalThis.mock?.refusedChanges())).toEqual([])
    },
    { as: 'vera' },
  )
})
