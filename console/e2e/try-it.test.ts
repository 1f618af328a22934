import { expect } from 'vitest'
import { pressGo } from './browser'
import { stories } from './story'

const ORDERS = '/projects/order-service/integrations/order-create/try-it'

stories('Try-It', (story) => {
  story(
    'a developer places an order through the control plane, and sees the answer',
    async ({ page }) => {
      await page.goto(ORDERS)
      await page.getByRole('heading', { level: 1, name: 'Try out Order Create', exact: true }).waitFor()
      await page.getByRole('button', { name: 'POST /orders Place an order' }).click()
      await expect.poll(() => new URL(page.url()).searchParams.get('operation')).toBe('POST /orders')
      const request = page.getByRole('region', { name: 'Request' })
      const body = request.getByLabel('Body', { exact: true })
      await expect.poll(() => body.inputValue()).toContain('"sku": "A-100"')
      await body.fill('{"customer": "ann", "items": []}')
      await request.getByRole('button', { name: 'Add a header' }).click()
      await request.getByLabel('Name of header 1').fill('X-Tenant')
      await request.getByLabel('Value of header 1').fill('acme')
      await request.getByRole('button', { name: 'Copy as CLI' }).waitFor()
      await request.getByRole('button', { name: 'Send' }).click()
      const answer = page.getByRole('region', { name: 'Answer', exact: true })
      await answer.getByText('201 Created').waitFor()
      await answer.getByText('"customer": "ann"').waitFor()
      await answer.getByText('3 headers').click()
      await answer.getByText('X-Served-By').waitFor()
      const past = page.getByRole('region', { name: 'Requests of this tab' })
      await past.getByText('201 · 14.2 ms').waitFor()

      await page.getByRole('button', { name: 'GET /orders/{id} Show an order' }).click()
      await request.getByLabel('id', { exact: true }).fill('')
      await request.getByText('Fill in id first.').waitFor()
      expect(await request.getByRole('button', { name: 'Send' }).getAttribute('aria-disabled')).toBe('true')
      await request.getByLabel('id', { exact: true }).fill('4711')
      await request.getByText('GET /orders/4711').waitFor()
      await page.keyboard.press('Enter')
      await answer.getByText('200 OK').waitFor()

      await past.getByRole('button', { name: 'Take POST /orders again' }).click()
      await expect.poll(() => body.inputValue()).toBe('{"customer": "ann", "items": []}')
      await answer.getByText('201 Created').waitFor()
    },
    { timeoutMs: 90_000 },
  )

  story(
    'who cannot be reached is told with cause and next step; who waits too long stops',
    async ({ page, complaints }) => {
      await page.goto(`${ORDERS}?port=8091`)
      const request = page.getByRole('region', { name: 'Request' })
      const answer = page.getByRole('region', { name: 'Answer', exact: true })
      await request.getByRole('button', { name: 'Send' }).click()
      await answer.getByText('TRY_IT_UNREACHABLE').waitFor()
      await answer.getByText('Check that the listener is bound').waitFor()
      // The browser itself tells of the status, which is the point here.
      expect(complaints.splice(0)).toEqual([expect.stringContaining('502')])
      await page.getByLabel('Port', { exact: true }).selectOption('8080')
      await request.getByLabel('Path', { exact: true }).fill('/slow')
      await request.getByRole('button', { name: 'Send' }).click()
      await request.getByRole('button', { name: 'Stop' }).click()
      await answer.getByText('You stopped waiting').waitFor()
    },
    { timeoutMs: 90_000 },
  )

  story(
    'production is closed until an administrator opens it, and changes there are confirmed by name',
    async ({ page }) => {
      await page.goto(`${ORDERS}?environment=prod&operation=POST+%2Forders`)
      await page.getByText('TRY_IT_OFF').waitFor()
      const send = page.getByRole('region', { name: 'Request' }).getByRole('button', { name: 'Send' })
      expect(await send.getAttribute('aria-disabled')).toBe('true')
      await pressGo(page, 'e')
      const allowed = page.getByRole('switch', { name: 'Services can be tried out in Production' })
      await expect.poll(() => allowed.getAttribute('aria-checked')).toBe('false')
      await allowed.click()
      const dialog = page.getByRole('dialog', { name: 'Allow Try-It in Production?' })
      await dialog.getByLabel('Type prod').fill('prod')
      await dialog.getByRole('button', { name: 'Allow' }).click()
      await expect.poll(() => allowed.getAttribute('aria-checked')).toBe('true')
      await page.goBack()
      await page.getByText('TRY_IT_OFF').waitFor({ state: 'detached' })
      await send.click()
      const sure = page.getByRole('dialog', { name: 'Send to Production?' })
      await sure.getByLabel('Type prod').fill('prod')
      await sure.getByRole('button', { name: 'Send' }).click()
      await page.getByRole('region', { name: 'Answer', exact: true }).getByText('201 Created').waitFor()
    },
    { timeoutMs: 90_000 },
  )

  story(
    'who may look but not try is told which permission is missing',
    async ({ page }) => {
      await page.goto(ORDERS)
      await page.getByText('integration_mgt:try').waitFor()
    },
    { as: 'vera', timeoutMs: 90_000 },
  )
})
