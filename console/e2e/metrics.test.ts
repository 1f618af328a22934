import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { stories } from './story'

const HOME = '/projects/order-service/integrations/order-create/metrics'
const chart = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
const canvas = (page: Page, name: string) => chart(page, name).locator('.u-over')
const asked = (page: Page) => new URL(page.url()).searchParams

/** The figures of a page are there when the drawing of the first chart is. */
async function open(page: Page, address: string): Promise<void> {
  await page.goto(address)
  await page.locator('[data-charts] canvas').first().waitFor()
}

/** A place within a drawing, from 0 to 1. */
async function placeIn(page: Page, name: string, share: number): Promise<{ x: number; y: number }> {
  const over = canvas(page, name)
  await over.scrollIntoViewIfNeeded()
  const box = await over.boundingBox()
  if (!box) throw new Error(`${name} is not drawn.`)
  return { x: box.x + box.width * share, y: box.y + box.height / 2 }
}

stories('Metrics', (story) => {
  story('a burst of failures is seen, and what is unknown is a gap and not zero', async ({ page }) => {
    await open(page, HOME)
    await page.getByRole('heading', { level: 1, name: 'Metrics of Order Create', exact: true }).waitFor()
    const errors = chart(page, 'Error rate')
    await errors.getByText(/At most \d+(\.\d+)? % at \d\d:\d\d\. Nothing is known of \d of 60 steps\./).waitFor()
    await errors.getByText('As a table').click()
    const table = errors.getByRole('table', { name: 'Error rate, as a table' })
    await table.getByRole('cell', { name: 'unknown' }).first().waitFor()
    expect(await table.getByRole('row').count()).toBe(61)
    expect(await table.getByRole('cell', { name: 'unknown' }).count()).toBeGreaterThanOrEqual(4)
    expect(asked(page).get('table')).toBe('errors')
  })

  story('a drag over a chart shows that time alone, in the address too, and back is back', async ({ page }) => {
    await open(page, HOME)
    const before = page.url()
    const from = await placeIn(page, 'Throughput', 0.3)
    const to = await placeIn(page, 'Throughput', 0.7)
    await page.mouse.move(from.x, from.y)
    await page.mouse.down()
    await page.mouse.move((from.x + to.x) / 2, to.y, { steps: 4 })
    await page.mouse.move(to.x, to.y, { steps: 4 })
    await page.mouse.up()
    await expect.poll(() => asked(page).get('to')).toBeTruthy()
    const minutes = (Date.parse(asked(page).get('to') ?? '') - Date.parse(asked(page).get('from') ?? '')) / 60_000
    expect(minutes).toBeGreaterThanOrEqual(23)
    expect(minutes).toBeLessThanOrEqual(27)
    await page.getByText('A time that is over.').waitFor()
    expect(asked(page).get('at')).toBeNull()
    await page.goBack()
    await expect.poll(() => page.url()).toBe(before)
    await page.getByText(/kept up to date/).waitFor()
  })

  story('a click at a moment tells what was then, and leads to its logs with the same filters', async ({ page }) => {
    await open(page, '/insights?project=order-service&integration=order-create&environment=prod')
    const { x, y } = await placeIn(page, 'Error rate', 0.8)
    await page.mouse.click(x, y)
    const moment = page.getByRole('region', { name: 'The moment that is looked at' })
    await moment.getByText(/Throughput Succeeded .*\/s · Error rate/).waitFor()
    const at = asked(page).get('at') ?? ''
    const link = moment.getByRole('link', { name: 'Logs of this moment' })
    await expect.poll(() => link.evaluate((each) => each === document.activeElement)).toBe(true)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Logs', exact: true }).waitFor()
    expect(Object.fromEntries(asked(page))).toEqual({
      project: 'order-service',
      integration: 'order-create',
      environment: 'prod',
      from: at,
      to: new Date(Date.parse(at) + 60_000).toISOString(),
    })
  })

  story(
    'what was answered: by code and by class, in numbers too, and from a code to the traces that failed',
    async ({ page }) => {
      await open(page, HOME)
      const codes = chart(page, 'Status codes')
      await codes
        .getByText(/^5xx [\d.]+ % · 4xx .* · 2xx 9\d(\.\d+)? %\. Nothing is known of \d of 60 steps\.$/)
        .waitFor()
      const names = () => codes.getByRole('listitem').locator('.truncate').allTextContents()
      expect(await names()).toEqual(['503', '500', '502', '404', '400', '409', '304', '200', '201', '204'])
      await codes.getByLabel('Tell apart', { exact: true }).selectOption({ label: 'Classes' })
      await expect.poll(names).toEqual(['5xx', '4xx', '3xx', '2xx'])
      expect(asked(page).get('classes')).toBe('true')
      await codes.getByLabel('Tell apart', { exact: true }).selectOption({ label: 'Codes' })
      await codes.getByText('As a table').click()
      const table = codes.getByRole('table', { name: 'Status codes, as a table' })
      await table.getByRole('cell', { name: 'unknown' }).first().waitFor()
      await table
        .getByRole('button', { name: /^503: / })
        .first()
        .click()
      await expect.poll(() => asked(page).get('status')).toBe('"503"')
      const at = asked(page).get('at') ?? ''
      const moment = page.getByRole('region', { name: 'The moment that is looked at' })
      await moment.getByText('503', { exact: true }).waitFor()
      await moment.getByRole('link', { name: 'Logs of this moment' }).waitFor()
      await moment.getByRole('link', { name: 'Traces of this moment' }).click()
      await page.getByRole('heading', { level: 1, name: 'Traces of Order Create', exact: true }).waitFor()
      expect(Object.fromEntries(asked(page))).toEqual({
        status: '["503"]',
        from: at,
        to: new Date(Date.parse(at) + 60_000).toISOString(),
      })
    },
  )

  story('a press into an area looks at that code of that moment', async ({ page }) => {
    await open(page, HOME)
    const over = canvas(page, 'Status codes')
    await over.scrollIntoViewIfNeeded()
    const box = await over.boundingBox()
    if (!box) throw new Error('It is not drawn.')
    await page.mouse.click(box.x + box.width * 0.3, box.y + box.height * 0.6)
    await expect.poll(() => asked(page).get('status')).toBe('"200"')
    await page.getByRole('link', { name: 'Traces of this moment' }).waitFor()
  })

  story('all charts tell the moment that is pointed at in one of them', async ({ page }) => {
    await open(page, HOME)
    await chart(page, 'Latency of what failed').getByText('at most', { exact: true }).waitFor()
    const { x, y } = await placeIn(page, 'Throughput', 0.9)
    await page.mouse.move(x, y)
    await page.mouse.move(x + 2, y)
    const clock = await chart(page, 'Throughput')
      .getByText(/^\d\d:\d\d$/)
      .textContent()
    await chart(page, 'Latency of what failed')
      .getByText(clock ?? '?', { exact: true })
      .waitFor()
  })

  story('the table is sorted and searched; a row is shown alone, and together again', async ({ page }) => {
    await open(page, HOME)
    const table = page.getByRole('region', { name: 'Services and resources' })
    const first = table.getByRole('row').nth(1)
    await first.getByRole('button', { name: 'GET /orders/{id}', exact: true }).waitFor()
    await table.getByRole('button', { name: 'Errors' }).click()
    await first.getByRole('button', { name: 'POST /orders', exact: true }).waitFor()
    await expect
      .poll(() => table.getByRole('columnheader', { name: 'Errors' }).getAttribute('aria-sort'))
      .toBe('descending')
    await first.getByRole('button', { name: 'POST /orders', exact: true }).click()
    await expect.poll(() => asked(page).get('resource')).toBe('POST /orders')
    expect(await table.getByRole('row').count()).toBe(4)
    const alone = page.getByRole('button', { name: 'POST /orders', pressed: true })
    await expect.poll(() => page.getByLabel('Resource', { exact: true }).inputValue()).toBe('POST /orders')
    await alone.click()
    await expect.poll(() => asked(page).get('resource')).toBeNull()
    await page.getByRole('searchbox', { name: 'Find a resource' }).fill('delete')
    await expect.poll(() => table.getByRole('row').count()).toBe(2)
  })

  story('environments are compared, by the percentile that one chooses', async ({ page }) => {
    await open(page, HOME)
    await page.getByLabel('Compare', { exact: true }).selectOption({ label: 'Environments' })
    const latency = chart(page, 'Latency of what succeeded')
    await latency.getByText('Development', { exact: true }).waitFor()
    await latency.getByText('Production', { exact: true }).waitFor()
    await page.getByLabel('Percentile', { exact: true }).selectOption('p99')
    await latency.getByText('p99', { exact: true }).waitFor()
    expect([asked(page).get('by'), asked(page).get('share')]).toEqual(['environment', 'p99'])
  })

  story('processes tell CPU, memory, lag and pauses for each runtime, and the runtime leads here', async ({ page }) => {
    await page.goto('/runtimes/rt-order-create-prod-1')
    await page.getByRole('main').getByRole('link', { name: 'Metrics' }).click()
    await page.locator('[data-charts] canvas').first().waitFor()
    expect(asked(page).get('runtime')).toBeTruthy()
    await page.getByRole('link', { name: 'Processes' }).click()
    for (const name of ['CPU', 'Memory', 'Lag of the event loop', 'Pauses of the garbage collector'])
      await chart(page, name)
        .getByText(/At most/)
        .waitFor()
    const table = page.getByRole('region', { name: 'Processes', exact: true })
    await expect.poll(() => table.getByRole('row').count()).toBe(2)
    await table.getByRole('row', { name: /Order Create.*Production.*MiB/ }).waitFor()
    await page.getByRole('link', { name: 'Calls made' }).click()
    await page.getByRole('button', { name: 'POST warehouse.internal' }).waitFor()
  })

  story('nothing arrived: what to do stands there, with the address of this control plane', async ({ page }) => {
    await page.goto('/projects/billing/integrations/dunning/metrics')
    await page.getByText('No request was counted in this time').waitFor()
    await page.getByText('OTEL_EXPORTER_OTLP_ENDPOINT=https://pilothouse.example:9445').waitFor()
    await page.getByRole('button', { name: 'Look at 24 hours' }).click()
    await expect.poll(() => asked(page).get('span')).toBe('1d')
  })

  story('a store that is not well says so above the figures', async ({ page }) => {
    await page.goto('/')
    await page.getByRole('heading', { name: 'What is not well' }).waitFor()
    await page.evaluate(() => globalThis.mock?.degrade('The disk is full: `logs` are turned away. Make room.'))
    await page.getByRole('link', { name: 'Metrics', exact: true }).click()
    await page.getByRole('status').getByText('The disk is full').waitFor()
  })

  story('while the time ends now the charts move on by themselves', async ({ page }) => {
    await open(page, HOME)
    const told = page.getByText(/kept up to date/)
    const before = await told.textContent()
    await page.clock.setFixedTime(Date.now() + 130_000)
    await expect.poll(() => told.textContent()).not.toBe(before)
    await page.locator('[data-charts] canvas').first().waitFor()
  })
})
