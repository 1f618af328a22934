import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const LONG = '/traces/feedfacefeedfacefeedfacefeedface'
const TORN = '/traces/cafe0000cafe0000cafe0000cafe0000'

const asked = (page: Page) => new URL(page.url()).searchParams
const rows = (page: Page) => page.getByRole('group', { name: 'the traces' }).getByRole('row')
const active = (page: Page) =>
  page.getByRole('tree').evaluate((tree) => {
    const row = document.getElementById(tree.getAttribute('aria-activedescendant') ?? '')
    return row?.querySelector('[data-operation]')?.textContent
  })

stories('Traces', (story) => {
  story(
    'the slow and the failed are found; every filter is in the address, and a link shows the same',
    async ({ page }) => {
      await page.goto('/traces')
      await page.getByRole('heading', { level: 1, name: 'Traces', exact: true }).waitFor()
      await page.getByRole('link', { name: 'sync invoices' }).first().waitFor()
      await page.getByLabel('Status').selectOption({ label: 'Failed only' })
      await page.getByRole('link', { name: 'sync invoices' }).first().waitFor({ state: 'detached' })
      await page.getByLabel('Search operations').fill('POST')
      await page.getByLabel('At least').fill('300')
      await page.keyboard.press('Enter')
      await page.getByLabel('Project', { exact: true }).selectOption('order-service')
      await page.getByLabel('Environment', { exact: true }).selectOption('prod')
      await expect
        .poll(() => Object.fromEntries(asked(page)))
        .toEqual({ failed: 'true', operation: 'POST', slower: '300', project: 'order-service', environment: 'prod' })
      await page.getByRole('link', { name: 'import stock file' }).waitFor({ state: 'detached' })
      const found = await rows(page).allTextContents()
      expect(found.length).toBeGreaterThan(2)
      for (const row of found.slice(1))
        expect(row).toMatch(/POST \/orders.*Order Create → Stock Level → Payment Gateway.*4 failed/)
      await page.reload()
      await expect.poll(() => rows(page).count()).toBe(found.length)
      await page.getByRole('button', { name: 'Clear filters' }).click()
      await expect
        .poll(() => Object.fromEntries(asked(page)))
        .toEqual({ project: 'order-service', environment: 'prod' })
      await expect.poll(() => rows(page).count()).toBe(26)
      await page.getByLabel('Service').fill('nobody')
      await page.keyboard.press('Enter')
      await page.getByText('Nothing matches these filters').waitFor()
    },
    { timeoutMs: 60_000 },
  )

  story('more traces come behind those that are there, each once', async ({ page }) => {
    await page.goto('/traces?span=6h')
    await page.getByText('25 shown').waitFor()
    const first = await rows(page).nth(1).textContent()
    await page.getByRole('button', { name: 'Show more' }).click()
    await page.getByText('50 shown').waitFor()
    expect(await rows(page).nth(1).textContent()).toBe(first)
    const links = await page.locator('a[data-row]').evaluateAll((all) => all.map((each) => each.getAttribute('href')))
    expect(new Set(links).size).toBe(links.length)
  })

  story('a failed request leads to where it failed, why, and to what was said meanwhile', async ({ page }) => {
    await page.goto('/traces?failed=true&operation=POST')
    await page.getByRole('link', { name: 'POST /orders' }).first().click()
    await page.getByRole('heading', { level: 1, name: 'POST /orders', exact: true }).waitFor()
    await page.getByText('4 spans failed').waitFor()
    await page.getByText(/1 span began before the parent, by up to/).waitFor()
    await page.getByRole('treeitem', { name: /^charge card.*payment-gateway.*failed first here/ }).waitFor()
    await page.getByRole('treeitem', { name: /^GET \/stock.*stock-level.*began before its parent/ }).waitFor()
    await page.getByRole('button', { name: 'Go to where it failed' }).click()
    expect(await active(page)).toBe('charge card')
    await page.keyboard.press('Enter')
    const sheet = page.getByRole('dialog', { name: 'charge card' })
    await sheet.getByText('The card of order 4713 has expired.', { exact: true }).waitFor()
    await sheet.getByText('look here first').waitFor()
    await sheet.getByText('Traceback').waitFor()
    expect(asked(page).get('selected')).toMatch(/^[0-9a-f]{16}$/)
    await sheet.getByRole('link', { name: 'payment-gateway-prod-1' }).waitFor()
    await sheet.getByRole('link', { name: 'Logs of this trace' }).click()
    await page.getByRole('heading', { level: 1, name: 'Logs', exact: true }).waitFor()
    const search = asked(page)
    expect([search.get('trace')?.length, Boolean(search.get('from')), Boolean(search.get('to'))]).toEqual([
      32,
      true,
      true,
    ])
    await page.goBack()
    await sheet.waitFor()
  })

  story('from a line of the logs to its request, and back to its lines', async ({ page }) => {
    await page.goto('/logs?level=ERROR')
    await page
      .getByRole('button', { name: /card has expired/ })
      .first()
      .click()
    await page.getByRole('link', { name: 'Follow the request' }).click()
    await page.getByRole('heading', { level: 1, name: 'POST /orders', exact: true }).waitFor()
    await page.getByRole('link', { name: 'Logs of this trace' }).click()
    await page.getByRole('button', { name: /card has expired/ }).waitFor()
    await expect.poll(() => page.getByRole('list', { name: 'Logs' }).getByRole('listitem').count()).toBe(1)
  })

  story('the tree is walked, folded and opened with the keyboard alone', async ({ page }) => {
    await page.goto('/traces')
    await page.getByRole('link', { name: 'POST /orders' }).first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    const tree = page.getByRole('tree', { name: 'Waterfall' })
    await tree.focus()
    expect(await active(page)).toBe('POST /orders')
    await page.keyboard.press('ArrowRight')
    expect(await active(page)).toBe('validate')
    await page.keyboard.press('ArrowDown')
    expect(await active(page)).toBe('GET /stock/{article}')
    const before = await tree.getByRole('treeitem').count()
    await page.keyboard.press('ArrowLeft')
    await expect.poll(() => tree.getByRole('treeitem').count()).toBe(before - 2)
    await tree.getByRole('treeitem', { expanded: false }).getByText('+2').waitFor()
    await page.keyboard.press('ArrowLeft')
    expect(await active(page)).toBe('POST /orders')
    await page.keyboard.press('End')
    expect(await active(page)).toBe('INSERT INTO orders')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('postgresql', { exact: true }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await expect.poll(() => tree.evaluate((box) => box === document.activeElement)).toBe(true)
    expect(asked(page).get('selected')).toBeNull()
  })

  story(
    'a trace of more than a thousand spans is drawn as far as it is seen, and walked to its end',
    async ({ page }) => {
      await page.goto(LONG)
      const tree = page.getByRole('tree', { name: 'Waterfall' })
      await tree.waitFor()
      expect(await tree.getByRole('treeitem').count()).toBeLessThan(120)
      await page.getByRole('button', { name: 'Go to where it failed' }).click()
      await tree.getByRole('treeitem', { name: /^import line 1101 .*failed first here/ }).waitFor()
      await page.keyboard.press('End')
      await expect.poll(() => active(page)).toBe('import line 1200')
      expect(await tree.getByRole('treeitem').count()).toBeLessThan(120)
      await page.getByRole('button', { name: 'Collapse all' }).click()
      await expect.poll(() => tree.getByRole('treeitem').count()).toBe(1)
      await tree.getByText('+1200').waitFor()
    },
  )

  story(
    'what is missing of a trace is said: spans left out, parents that did not come, no trace at all',
    async ({ page }) => {
      await page.goto(TORN)
      await page.getByText('17 spans left out').waitFor()
      await page.getByText(/2 spans without the parent/).waitFor()
      await page.getByRole('treeitem', { name: /^notify.*parent missing/ }).waitFor()
      await page.goto('/traces/00000000000000000000000000000001')
      await page.getByRole('heading', { level: 1, name: 'No span of this trace is here', exact: true }).waitFor()
      await page.getByRole('link', { name: 'All traces' }).click()
      await page.getByRole('heading', { level: 1, name: 'Traces', exact: true }).waitFor()
    },
  )

  story('the map tells who calls whom, how often and how well, in a drawing and in tables', async ({ page }) => {
    await page.goto('/traces')
    await page.getByRole('link', { name: 'Service map' }).click()
    await page.getByRole('heading', { level: 1, name: 'Service map', exact: true }).waitFor()
    const drawing = page.getByRole('group', { name: 'Who calls whom' })
    await drawing.getByText('postgresql db.internal').waitFor()
    const calls = page.getByRole('group', { name: 'Calls' })
    const charged = calls.getByRole('row', { name: /order-create payment-gateway/ })
    expect(await charged.textContent()).toMatch(/\d+ %.*ms/)
    const boxes = await drawing.locator('a').evaluateAll((all) => all.map((each) => each.getBoundingClientRect().x))
    expect(new Set(boxes).size).toBe(2)
    await drawing.getByRole('link', { name: /^payment-gateway/ }).click()
    await page.getByRole('heading', { level: 1, name: 'Traces', exact: true }).waitFor()
    expect(Object.fromEntries(asked(page))).toEqual({
      project: 'billing',
      integration: 'payment-gateway',
      service: 'payment-gateway',
    })
    await page.getByRole('link', { name: 'POST /orders' }).first().waitFor()
  })

  story('an integration has its own traces and its own map', async ({ page }) => {
    await page.goto('/projects/billing/integrations/invoice-sync/traces')
    await page.getByRole('heading', { level: 1, name: 'Traces of Invoice Sync', exact: true }).waitFor()
    await page.getByRole('link', { name: 'sync invoices' }).first().waitFor()
    expect(await page.getByRole('link', { name: 'POST /orders' }).count()).toBe(0)
    expect(await page.getByLabel('Project', { exact: true }).count()).toBe(0)
    await page.getByRole('link', { name: 'Service map' }).click()
    await page.getByRole('heading', { level: 1, name: 'Service map around Invoice Sync', exact: true }).waitFor()
    await page.getByRole('group', { name: 'Who calls whom' }).getByText('postgresql db.internal').waitFor()
    expect(await page.getByText('payment-gateway').count()).toBe(0)
  })

  story('nothing in a time says what to do, and a store in trouble is said', async ({ page }) => {
    await page.goto('/traces?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z')
    await page.getByText('No trace arrived in this time').waitFor()
    await page.getByRole('link', { name: 'Connect a program' }).waitFor()
    await page.getByRole('button', { name: 'Look at 7 days' }).click()
    await page.getByRole('link', { name: 'POST /orders' }).first().waitFor()
    expect(Object.fromEntries(asked(page))).toEqual({ span: '7d' })
    await page.evaluate(() => globalThis.mock?.degrade('The disk is full. Give it more room.'))
    await page.getByRole('link', { name: 'POST /orders' }).first().click()
    await page.getByRole('heading', { level: 1, name: 'POST /orders', exact: true }).waitFor()
    await page.getByRole('link', { name: 'All traces' }).click()
    await page.getByText('Give it more room.').waitFor()
  })
})
