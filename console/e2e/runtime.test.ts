import { expect } from 'vitest'
import { stories } from './story'

/** Each question takes the runtime of the demo two seconds; a story with several of them takes its time. */
const QUESTIONS = { timeoutMs: 90_000 }

stories('One runtime', (story) => {
  story('STALLED stands beside RUNNING in the list and on the page, with its reason', async ({ page }) => {
    await page.goto('/runtimes?environment=prod')
    const row = page.getByRole('row', { name: /order-status-prod-2/ })
    await row.getByText('Running').waitFor()
    await row.getByRole('img', { name: /^A change has stalled: / }).waitFor()
    await row.getByText(/was delivered 4 times and its outcome is not reported/).waitFor()
    await row.getByRole('link', { name: 'order-status-prod-2' }).click()
    const notice = page.getByRole('region', { name: 'A change has stalled' })
    await notice.waitFor()
    await page.getByRole('region', { name: 'Commands' }).getByText('4 attempts').waitFor()
    await notice.getByRole('link', { name: 'Steer' }).click()
    await page.getByRole('heading', { level: 3, name: 'order_status.client' }).waitFor()
    await expect.poll(() => page.getByRole('heading', { level: 3 }).count()).toBe(1)
  })

  story('it is asked for its loggers, and the question stands among its commands', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-dev-1')
    await page.getByRole('button', { name: 'Ask for loggers' }).click()
    const panel = page.getByRole('dialog', { name: 'Loggers of order-create-dev-1' })
    await panel.getByRole('cell', { name: 'uvicorn.access' }).waitFor()
    await panel.getByRole('cell', { name: 'StreamHandler WARN' }).waitFor()
    await panel.getByLabel('Names that hold').fill('httpx')
    await panel.getByRole('cell', { name: 'uvicorn.access' }).waitFor({ state: 'detached' })
    await panel.getByRole('cell', { name: 'httpx' }).waitFor()
    await page.keyboard.press('Escape')
    await panel.waitFor({ state: 'detached' })
    await page.getByRole('region', { name: 'Commands' }).getByText('Ask for loggers').first().waitFor()
  })

  story('a Micro Integrator shows its artifacts by kind, and the source of one', async ({ page }) => {
    await page.goto('/runtimes/rt-edi-inbound-dev-1')
    const artifacts = page.getByRole('region', { name: 'Artifacts' })
    const sequence = artifacts.getByRole('button', { name: 'Source of EdiIn' })
    await sequence.waitFor()
    await artifacts.getByLabel('Kind of artifacts').selectOption('TASK')
    await artifacts.getByText('SweepInbox').waitFor()
    await sequence.waitFor({ state: 'detached' })
    await artifacts.getByText('Details').click()
    await artifacts.getByText('synapse.simple.quartz').waitFor()
    await artifacts.getByRole('button', { name: 'Source of SweepInbox' }).click()
    await page.getByRole('dialog').getByText('<log level="full"/>').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await artifacts.getByLabel('Kind of artifacts').selectOption('INBOUND_ENDPOINT')
    await artifacts.getByText('Details').click()
    await artifacts.getByRole('cell', { name: 'transport.vfs.FileURI' }).waitFor()
    await artifacts.getByRole('link', { name: 'Steer: EdiFiles' }).click()
    await page.getByRole('heading', { level: 3, name: 'EdiFiles' }).waitFor()
    await page.getByRole('switch', { name: 'Inbound endpoint EdiFiles: Tracing' }).waitFor()
  })

  story(
    'a log file of a Micro Integrator is read, narrowed, and linked to',
    async ({ page }) => {
      await page.goto('/runtimes/rt-edi-inbound-dev-1')
      await page.getByRole('button', { name: 'Log files' }).click()
      const panel = page.getByRole('dialog', { name: 'Log files of edi-inbound-dev-1' })
      await panel.getByRole('button', { name: 'Read wso2carbon.log' }).click()
      await panel.getByText('5 lines').waitFor()
      await panel.getByLabel('Only lines that hold').fill('partner')
      await panel.getByText('1 of 5 lines').waitFor()
      await panel.getByText('The partner 4012345000009 is not known').waitFor()
      const download = page.waitForEvent('download')
      await panel.getByRole('button', { name: 'Download' }).click()
      expect((await download).suggestedFilename()).toBe('wso2carbon.log')
      await page.goto(page.url())
      await panel.getByText('5 lines').waitFor()
      await panel.getByRole('button', { name: 'All log files' }).click()
      await panel.getByRole('cell', { name: 'http_access.log', exact: true }).waitFor()
    },
    QUESTIONS,
  )

  story(
    'the registry of a Micro Integrator is walked through, and its users are named',
    async ({ page }) => {
      await page.goto('/runtimes/rt-edi-inbound-dev-1')
      await page.getByRole('button', { name: 'Registry' }).click()
      const panel = page.getByRole('dialog', { name: 'Registry of edi-inbound-dev-1' })
      await panel.getByRole('button', { name: 'config', exact: true }).click()
      await panel.getByRole('button', { name: 'partners.json' }).click()
      await panel.getByText('Nordwind').waitFor()
      await panel.getByRole('region', { name: 'Properties' }).getByText('2026-10-02').waitFor()
      expect(new URL(page.url()).searchParams.get('path')).toBe('registry/config/partners.json')
      await panel.getByRole('navigation', { name: 'Path' }).getByRole('button', { name: 'registry' }).click()
      await panel.getByRole('button', { name: 'governance' }).click()
      await panel.getByText('The folder is empty.').waitFor()
      await page.keyboard.press('Escape')
      await panel.waitFor({ state: 'detached' })
      await page.getByRole('button', { name: 'Users' }).click()
      await page.getByRole('dialog').getByRole('cell', { name: 'edi-operator', exact: true }).waitFor()
    },
    QUESTIONS,
  )

  story(
    'a user of a Micro Integrator is added and removed, and what it refuses is said',
    async ({ page }) => {
      await page.goto('/runtimes/rt-edi-inbound-dev-1')
      await page.getByRole('button', { name: 'Users' }).click()
      const panel = page.getByRole('dialog', { name: 'Users of edi-inbound-dev-1' })
      await panel.getByRole('cell', { name: 'edi-operator', exact: true }).waitFor()
      await panel.getByRole('button', { name: 'Add user' }).click()
      const form = page.getByRole('dialog', { name: 'Add a user to edi-inbound-dev-1' })
      await form.getByLabel('Name').fill('grace')
      await form.getByLabel('Password', { exact: true }).fill('a-long-one')
      await form.getByLabel('The same password again').fill('another-one')
      await form.getByRole('button', { name: 'Add user' }).click()
      await form.getByText('The two are not the same.').waitFor()
      await form.getByLabel('The same password again').fill('a-long-one')
      await form.getByRole('button', { name: 'Add user' }).click()
      await form.waitFor({ state: 'detached' })
      await panel.getByText('grace is added.').waitFor()
      await panel.getByRole('cell', { name: 'grace', exact: true }).waitFor()
      expect(await page.content()).not.toContain('a-long-one')

      await panel.getByRole('button', { name: 'Remove grace' }).click()
      const question = page.getByRole('dialog', { name: 'Remove grace from edi-inbound-dev-1?' })
      await question.getByRole('button', { name: 'Remove grace' }).click()
      await panel.getByText('grace is removed.').waitFor()
      await panel.getByRole('cell', { name: 'grace', exact: true }).waitFor({ state: 'detached' })

      await panel.getByRole('button', { name: 'Remove admin' }).click()
      await page
        .getByRole('dialog', { name: /^Remove admin/ })
        .getByRole('button', { name: 'Remove admin' })
        .click()
      await panel.getByRole('alert').getByText('MI_USER_PROTECTED').waitFor()
      await panel.getByRole('cell', { name: 'admin', exact: true }).waitFor()
    },
    QUESTIONS,
  )

  story('what it said, answered and went through lately is there at one look', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-dev-1')
    const lines = page.getByRole('region', { name: 'Latest log lines' })
    await lines.getByText('Order 4713 refused: the card has expired').first().waitFor()
    await page.getByRole('region', { name: 'Requests in the last hour' }).getByText('95 % within').waitFor()
    await page.getByRole('region', { name: 'Latest events' }).getByText('runtime.registered').waitFor()
    await lines.getByRole('link', { name: 'All its lines' }).click()
    await page.getByRole('heading', { level: 1, name: 'Logs of Order Create', exact: true }).waitFor()
    expect(new URL(page.url()).searchParams.get('runtime')).toMatch(/^[0-9a-f-]{36}$/)
  })

  story('of a silent one the lines before the silence come first', async ({ page }) => {
    await page.goto('/runtimes/rt-order-status-prod-3')
    const titles = page.getByRole('heading', { level: 2 })
    await page.getByRole('heading', { level: 2, name: 'Log lines before the silence' }).waitFor()
    expect((await titles.allInnerTexts())[0]).toBe('Log lines before the silence')
    await page.getByRole('region', { name: 'Requests before the silence' }).waitFor()
  })

  story('a restart is confirmed by the new process; who cannot restart says why', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-dev-1')
    const process = page.getByRole('region', { name: 'Process' })
    await process.getByText('2037', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Restart' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click()
    await page.getByText(/is asked to restart/).waitFor()
    await process.getByText('2038', { exact: true }).waitFor()
    await page.goto('/runtimes/rt-order-create-prod-3')
    const button = page.getByRole('button', { name: 'Restart' })
    await button.hover()
    await page
      .getByRole('tooltip')
      .getByText(/did not declare that it can restart/)
      .waitFor()
    await button.click({ force: true })
    expect(await page.getByRole('dialog').count()).toBe(0)
  })

  story('one that is silent is removed, with its secret', async ({ page }) => {
    await page.goto('/runtimes/rt-dunning-dev-1')
    await page.getByRole('button', { name: 'Remove' }).click()
    const dialog = page.getByRole('dialog', { name: 'Remove dunning-dev-1?' })
    await dialog.getByText('No other runtime uses it.', { exact: false }).waitFor()
    await dialog.getByRole('checkbox').check()
    await dialog.getByRole('button', { name: 'Remove runtime' }).click()
    await page.getByText(/dunning-dev-1 is removed and its secret \w+ is revoked\./).waitFor()
    await page.getByRole('heading', { level: 1, name: 'Runtimes of Dunning', exact: true }).waitFor()
    await page.getByText('No runtime reports from Development yet').waitFor()
  })

  story('one that still reports comes back, and the dialog said so', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-dev-2')
    await page.locator('[data-line=live]').waitFor()
    await page.getByRole('button', { name: 'Remove' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('it comes back with its next heartbeat', { exact: false }).waitFor()
    await dialog.getByText('Another runtime uses this secret too, so it stays.').waitFor()
    expect(await dialog.getByRole('checkbox').isDisabled()).toBe(true)
    await dialog.getByRole('button', { name: 'Remove runtime' }).click()
    await page.getByText('order-create-dev-2 is removed.').waitFor()
    await page.getByRole('link', { name: 'order-create-dev-2' }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'order-create-dev-2' }).waitFor()
  })
})
