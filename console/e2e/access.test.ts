import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const PAGES = [
  ['/', 'What is not well'],
  ['/runtimes', 'crm-bridge-dev-1'],
  ['/projects', 'Billing'],
  ['/projects/billing', 'Invoice Sync'],
  ['/projects/billing/integrations/dunning', 'Runtimes by environment'],
  ['/projects/order-service/integrations/order-create/steering?environment=dev', 'nightly-report'],
  ['/projects/order-service/integrations/order-create/artifacts?environment=prod', 'nightly-report'],
  ['/runtimes/rt-order-create-dev-1', 'Log levels'],
  ['/environments', 'Staging'],
  ['/events', 'runtime.registered'],
] as const

/** Presses everything on the page that does not say that it is blocked, and closes what opens. */
async function pressEverything(page: Page): Promise<void> {
  const buttons = page
    .locator('main')
    .locator('button:not([aria-disabled=true]), [role=switch]:not([aria-disabled=true])')
  const dialogs = page.getByRole('dialog')
  // A press may take away what stood there a moment ago, and a dialog may come later than the next press.
  const close = async () => {
    if ((await dialogs.count()) > 0) await page.keyboard.press('Escape')
    return dialogs.count()
  }
  for (let index = 0; index < (await buttons.count()); index++) {
    await buttons.evaluateAll((all, at) => {
      const button = all[at]
      if (button?.checkVisibility()) button.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))
    }, index)
    await expect.poll(close).toBe(0)
  }
}

stories('Who may do what', (story) => {
  story(
    'as a viewer: everything is there to read, and nothing that can be pressed is refused',
    async ({ page }) => {
      for (const [address, ready] of PAGES) {
        await page.goto(address)
        await page.getByText(ready).first().waitFor()
        await pressEverything(page)
        expect(await page.evaluate(() => globalThis.mock?.refusedChanges()), address).toEqual([])
        expect(await page.getByText('NOT_PERMITTED').count(), address).toBe(0)
      }
      const nav = page.getByRole('navigation', { name: 'Pages' })
      for (const hidden of ['Access', 'Audit', 'Secrets'])
        expect(await nav.getByRole('link', { name: hidden, exact: true }).count()).toBe(0)
      await page.goto('/projects/billing')
      const remove = page.getByRole('button', { name: 'Delete project' })
      await remove.waitFor()
      expect(await remove.getAttribute('data-tip')).toBe('You need the permission project_mgt:manage here.')
    },
    { as: 'vera', timeoutMs: 90_000 },
  )

  story(
    'as a developer of one project: only that one is there, and only in it something may be changed',
    async ({ page }) => {
      await page.goto('/projects')
      await page.getByRole('link', { name: 'Order Service' }).waitFor()
      expect(await page.getByRole('link', { name: 'Billing' }).count()).toBe(0)
      await page.goto('/projects/billing')
      await page.getByRole('heading', { name: 'There is no such project' }).waitFor()
      await page.goto('/projects/order-service/integrations/order-create')
      await page.getByRole('button', { name: 'Edit integration' }).click()
      await page.getByLabel('Display name').fill('Order Intake')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('heading', { level: 1, name: 'Order Intake', exact: true }).waitFor()
      const remove = page.getByRole('button', { name: 'Delete integration' })
      expect(await remove.getAttribute('data-tip')).toBe('You need the permission integration_mgt:manage here.')
    },
    { as: 'dora' },
  )

  story(
    'a stranger without groups is told whom to ask, with the words to send, and can still see the profile',
    async ({ page }) => {
      await page.goto('/runtimes')
      await page.getByRole('heading', { name: 'Nothing is open to you yet' }).waitFor()
      await page.getByText(/put the user stan into a group at http.*\/access\/users\/u-stan/).waitFor()
      expect(await page.getByRole('navigation', { name: 'Pages' }).count()).toBe(0)
      await page.getByRole('button', { name: 'Your account' }).click()
      await page.getByRole('link', { name: 'Profile' }).click()
      await page.getByText('none: nothing is open to you yet').waitFor()
    },
    { as: 'stan' },
  )

  story('by keyboard alone: a group is made and a role is mapped to it in one project', async ({ page }) => {
    await page.goto('/access/groups')
    const create = page.getByRole('button', { name: 'Create group' })
    await create.focus()
    await page.keyboard.press('Enter')
    await page.getByLabel('Name', { exact: true }).waitFor()
    await expect
      .poll(() => page.getByLabel('Name', { exact: true }).evaluate((box) => box === document.activeElement))
      .toBe(true)
    await page.keyboard.type('Night watch')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Night watch', exact: true }).waitFor()
    await page.getByRole('button', { name: 'Map role' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Map a role to Night watch' })
    await dialog.getByRole('option', { name: 'Viewer' }).waitFor({ state: 'attached' })
    await expect
      .poll(() => dialog.getByLabel('Role', { exact: true }).evaluate((box) => box === document.activeElement))
      .toBe(true)
    await page.keyboard.type('Viewer')
    await page.keyboard.press('Tab')
    await dialog.getByRole('option', { name: 'Billing' }).waitFor({ state: 'attached' })
    await page.keyboard.type('Billing')
    await page.getByLabel('Integration', { exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Map role' }).last().focus()
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'detached' })
    await page.getByRole('row', { name: /Viewer.*Billing/ }).waitFor()
  })

  story('a user is found by state, made, given a first password that is shown once, and deleted', async ({ page }) => {
    await page.goto('/access/users')
    await page.getByLabel('State').selectOption('DISABLED')
    await page.getByRole('link', { name: 'ada', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'lena' }).waitFor()
    expect(new URL(page.url()).searchParams.get('state')).toBe('DISABLED')
    await page.getByLabel('State').selectOption('')
    await page.getByRole('button', { name: 'Create user' }).click()
    const form = page.getByRole('dialog', { name: 'Create user' })
    await form.getByLabel('Username').fill('Nora')
    await form.getByText('Use lower-case letters').waitFor()
    await form.getByLabel('Username').fill('nora')
    await form.getByLabel('Display name').fill('Nora Quist')
    await form.getByRole('checkbox', { name: /Readers/ }).check()
    await form.getByRole('button', { name: 'Create user' }).click()
    const shown = page.getByRole('dialog', { name: 'First password of nora' })
    await shown.getByText('This password is shown once.').waitFor()
    await shown.getByRole('button', { name: 'Close without a copy' }).click()
    await page.getByRole('link', { name: 'nora' }).click()
    await page.getByRole('row', { name: /Viewer.*everywhere/ }).waitFor()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('nora is deleted.').waitFor()
  })

  story('built-in roles are read-only and are copied as a new one', async ({ page }) => {
    await page.goto('/access/roles/r-viewer')
    const edit = page.getByRole('button', { name: 'Edit role' })
    await edit.waitFor()
    expect(await edit.getAttribute('aria-disabled')).toBe('true')
    await page.getByRole('link', { name: 'Copy as new role' }).click()
    const form = page.getByRole('dialog', { name: 'New role, as a copy of Viewer' })
    expect(await form.getByLabel('Name').inputValue()).toBe('Viewer (copy)')
    await form.getByRole('checkbox', { name: /audit_mgt:view/ }).check()
    await form.getByRole('button', { name: 'Create role' }).click()
    await page.getByRole('heading', { level: 1, name: 'Viewer (copy)', exact: true }).waitFor()
    expect(await page.getByRole('checkbox', { name: /audit_mgt:view/ }).isChecked()).toBe(true)
  })

  story('who may do what: everybody with their mappings, then one person: no, and where else', async ({ page }) => {
    await page.goto('/access/who-may?permission=INTEGRATION_MGT_EDIT&project=billing')
    await page.getByText('4 users may').waitFor()
    const row = page.getByRole('row', { name: /Emil Novak/ })
    await row.getByText('Project Admin').waitFor()
    await row.getByText('(by integration_mgt:manage)').waitFor()
    await page.getByRole('button', { name: 'Pick a person' }).click()
    await page.getByRole('dialog').getByRole('combobox').fill('dora')
    await page.getByRole('option', { name: /Dora Meyer/ }).click()
    await page.getByText('No, Dora Meyer may not').waitFor()
    await page.getByRole('region', { name: 'Held elsewhere' }).getByRole('link', { name: 'Order Service' }).waitFor()
    await page.getByLabel('Project', { exact: true }).selectOption('order-service')
    await page.getByText('Yes, Dora Meyer may').waitFor()
    expect(new URL(page.url()).search).toContain('user=u-dora')
  })

  story('the audit: narrowed in the address, a record with its change, the chain is checked', async ({ page }) => {
    await page.goto('/audit?outcome=REFUSED')
    await page.getByText('user:mallory').first().waitFor()
    expect(await page.getByText('environment.update').count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Export' }).getAttribute('href')).toBe('/audit/export?outcome=REFUSED')
    await page.goto('/audit?action=environment.')
    await page
      .getByRole('link', { name: /Record/ })
      .first()
      .click()
    const panel = page.getByRole('dialog')
    const change = panel.getByRole('row', { name: /displayName/ })
    await change.getByText('− Stage').waitFor()
    await change.getByText('+ Staging').waitFor()
    expect(await panel.getByRole('row', { name: /critical/ }).count()).toBe(0)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Check integrity' }).click()
    await page.getByText('The records are intact.').waitFor()
    await page.evaluate(() => globalThis.mock?.tamper(17))
    await page.getByRole('button', { name: 'Check integrity' }).click()
    await page.getByText('The records are not intact.').waitFor()
    await page.getByRole('button', { name: 'Show record 17' }).waitFor()
  })

  story('in the audit the target of an action is not broken within a word', async ({ page }) => {
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.goto('/audit')
    await page.getByText('user:mallory').first().waitFor()
    const broken = await page.evaluate(() => {
      const column = [...document.querySelectorAll('th')].findIndex((each) => each.textContent === 'Target')
      const texts = [...document.querySelectorAll('tbody tr')].map((row) => row.children[column]?.querySelector('code'))
      return texts.flatMap((code) => {
        const text = code?.firstChild
        if (!text) return []
        return [...(text.textContent ?? '').matchAll(/[^\s/-]+/g)].flatMap((word) => {
          const range = document.createRange()
          range.setStart(text, word.index)
          range.setEnd(text, word.index + word[0].length)
          return range.getClientRects().length > 1 ? [word[0]] : []
        })
      })
    })
    expect(broken).toEqual([])
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1280)
  })

  story('events come in live, and wait while somebody points at the list', async ({ page }) => {
    await page.goto('/events?kind=runtime.')
    const rows = page.getByRole('row')
    await rows.nth(1).waitFor()
    await expect.poll(() => page.locator('[data-line=live]').count()).toBe(1)
    await page.evaluate(() => globalThis.mock?.silence('rt-stock-level-prod-1'))
    await page.getByText(/stock-level-prod-1 .* fell silent/).waitFor()
    await rows.nth(2).hover()
    await page.evaluate(() => globalThis.mock?.silence('rt-stock-level-prod-2'))
    await page.getByRole('button', { name: '1 new' }).waitFor()
    expect(await page.getByText(/stock-level-prod-2 .* fell silent/).count()).toBe(0)
    await page.getByRole('button', { name: '1 new' }).click()
    await page.getByText(/stock-level-prod-2 .* fell silent/).waitFor()
  })
})
