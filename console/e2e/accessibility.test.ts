import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { bring, COLOURS, complain, sideways } from './look'
import { stories } from './story'

type Stop = [name: string, address: string, ready: string, prepare?: (page: Page) => Promise<void>]

/** What a page becomes when something is done there or goes wrong; each page as it opens is looked at in `everywhere.test.ts`. */
const STOPS: Stop[] = [
  ['logs with columns', '/logs?columns=["order.id","logger"]', 'Order 4711'],
  ['refusals', '/runtimes?refusals=true', 'Synchronise the clock'],
  ['add runtime', '/runtimes?add=dev', 'Generate Secret'],
  [
    'snippet',
    '/runtimes?add=dev',
    'Generate Secret',
    async (page) => {
      await page.getByRole('button', { name: 'Generate Secret' }).click()
      await page.getByText('shown once').waitFor()
    },
  ],
  ['steering half done', '/projects/order-service/integrations/order-status/steering?environment=prod', 'Earlier'],
  ['wishes in trouble', '/projects/order-service/integrations/order-status/steering?environment=dev', 'Orphan.'],
  [
    'a stop to confirm',
    '/projects/order-service/integrations/order-create/steering?environment=dev',
    'nightly-report',
    async (page) => {
      await page.getByRole('switch', { name: 'Listener http: State' }).click()
      await page.getByRole('group', { name: /Stop http on/ }).waitFor()
    },
  ],
  [
    'a change in a critical environment',
    '/projects/warehouse/integrations/edi-inbound/steering?environment=prod',
    'SweepInbox',
    async (page) => {
      await page.getByRole('button', { name: 'Run now: SweepInbox' }).click()
      await page.getByLabel('Type prod to confirm').waitFor()
    },
  ],
  [
    'steering of nobody',
    '/projects/order-service/integrations/order-create/steering?environment=staging',
    'No runtime of this',
  ],
  ['stalled runtime', '/runtimes/rt-order-status-prod-2', 'A change has stalled'],
  ['runtime with troubled artifacts', '/runtimes/rt-invoice-sync-dev-1', 'Gated'],
  [
    'loggers of a runtime',
    '/runtimes/rt-order-create-dev-1',
    'Ask for loggers',
    async (page) => {
      await page.getByRole('button', { name: 'Ask for loggers' }).click()
      await page.getByRole('dialog').getByRole('cell', { name: 'httpx' }).waitFor()
    },
  ],
  [
    'removal of a runtime',
    '/runtimes/rt-order-create-prod-3',
    'Remove',
    async (page) => {
      await page.getByRole('button', { name: 'Remove' }).click()
      await page.getByText('other runtimes use this secret').waitFor()
    },
  ],
  ['Micro Integrator', '/runtimes/rt-edi-inbound-prod-1', 'RetryTemplate'],
  ['runtime', '/runtimes/rt-stock-level-prod-2', 'DUPLICATE_NAME'],
  ['silent runtime', '/runtimes/rt-dunning-dev-1', 'As last reported'],
  ['create project', '/projects?create=true', 'Display name'],
  ['create integration', '/projects/billing?create=true', 'Runtime type'],
  ['empty project', '/projects/sandbox', 'Sandbox has no integration yet'],
  ['integration', '/projects/billing/integrations/dunning', 'Runtimes by environment'],
  [
    'one secret',
    '/secrets',
    'Expires soon',
    async (page) => {
      await page
        .getByRole('row', { name: /Production.*EDI Inbound/ })
        .getByRole('link')
        .first()
        .click()
      await page.getByRole('dialog').getByText('edi-inbound-prod-1').waitFor()
    },
  ],
  [
    'a secret to revoke',
    '/secrets',
    'Expires soon',
    async (page) => {
      await page
        .getByRole('row', { name: /Production.*EDI Inbound/ })
        .getByRole('button', { name: /Revoke/ })
        .click()
      await page.getByRole('radio', { name: /With a grace period/ }).check()
      await page.getByText('Micro Integrator gives up').waitFor()
    },
  ],
  [
    'a secret to rotate',
    '/secrets',
    'Expires soon',
    async (page) => {
      await page
        .getByRole('row', { name: /Production.*EDI Inbound/ })
        .getByRole('button', { name: /Rotate/ })
        .click()
      await page.getByLabel('The old one goes on for').waitFor()
    },
  ],
  ['create user', '/access/users?create=true', 'Has no password and never signs in'],
  ['new role', '/access/roles?create=true&copy=r-viewer', 'as a copy of Viewer'],
  ['may one', '/access/who-may?project=billing&user=u-dora', 'Dora Meyer may not'],
  ['audit record', '/audit?record=61', 'What changed'],
  ['logs', '/logs?level=ERROR', 'the card has expired'],
  [
    'live logs of an integration',
    '/projects/order-service/integrations/order-create/logs?live=true',
    'Order 4711 accepted',
  ],
  ['no traces', '/traces?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z', 'No trace arrived'],
  ['traces of an integration', '/projects/billing/integrations/invoice-sync/traces?failed=true', 'Nothing matches'],
  [
    'a failed span of a trace',
    '/traces?failed=true&operation=POST',
    'POST /orders',
    async (page) => {
      await page.getByRole('link', { name: 'POST /orders' }).first().click()
      await page.getByRole('button', { name: 'Go to where it failed' }).click()
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').getByText('Traceback').waitFor()
    },
  ],
  ['a long trace', '/traces/feedfacefeedfacefeedfacefeedface', 'import line 1'],
  ['no such trace', '/traces/00', 'No span of this trace'],
  ['one alert', '/alerts?alert=al-1&from=2100-01-01T00:00', 'the mailbox is full'],
  [
    'an alert to silence',
    '/alerts?from=2100-01-01T00:00',
    'above 5 %',
    async (page) => {
      await page.getByRole('button', { name: 'Silence Orders fail' }).click()
      await page.getByText(/^Nobody is told of what Orders fail finds/).waitFor()
    },
  ],
  ['one alert rule', '/alerts/rules?rule=ru-traffic', 'What it says'],
  [
    'an alert rule to edit',
    '/alerts/rules?edit=ru-cards',
    'A regular expression (RE2)',
    async (page) => {
      await page.getByRole('checkbox', { name: /Tickets/ }).waitFor()
      await page.getByLabel('Name').fill('')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Give the rule a name.').waitFor()
    },
  ],
  [
    'a tested channel',
    '/alerts/channels',
    'tickets.acme.example',
    async (page) => {
      await page.getByRole('button', { name: 'Test Order team' }).click()
      await page.getByText(/was not delivered/).waitFor()
    },
  ],
  ['create channel', '/alerts/channels?create=true', 'Left empty one is made'],
  ['metrics', '/insights?table=errors', 'Failed of all'],
  [
    'metrics of environments beside each other, with a moment that is looked at',
    '/projects/order-service/integrations/order-create/metrics?by=environment&span=6h',
    'Latency of what failed',
    async (page) => {
      await page.locator('[data-charts] canvas').first().waitFor()
      await page.locator('.u-over').first().click()
      await page.getByRole('link', { name: 'Logs of this moment' }).waitFor()
    },
  ],
  ['processes', '/insights?view=processes&project=billing', 'GC pause, most'],
  ['metrics of what counts nothing', '/projects/billing/integrations/dunning/metrics', 'OTEL_EXPORTER_OTLP_ENDPOINT'],
  ['edit project', '/projects/billing?edit=billing', 'The handle billing stays'],
  ['not found', '/nowhere', 'There is no page at this address'],
  [
    'palette',
    '/environments',
    'Staging',
    async (page) => {
      await page.keyboard.press('Control+k')
      await page.getByRole('option', { name: 'Add Runtime' }).waitFor()
    },
  ],
]

/** Pages that between them have every kind of text, mark and table. */
const STRONG = [
  ['overview', '/', 'What is not well'],
  ['runtimes', '/runtimes', 'crm-bridge-dev-1'],
  ['steering', '/projects/order-service/integrations/order-create/steering', 'order-create'],
  ['logs', '/logs?level=ERROR', 'the card has expired'],
  ['alerts', '/alerts', 'Alerts'],
] as const

const NARROW = { width: 360, height: 740 }
/** Text that WCAG's level AAA finds too weak. */
const WEAK = ['color-contrast-enhanced']

async function look(page: Page, [, address, ready, prepare]: Stop): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  await page.goto(address)
  await page.getByText(ready).first().waitFor()
  await prepare?.(page)
  await bring(page)
  const light = await complain(page)
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
  const dark = await complain(page, COLOURS)
  expect({ light, dark, narrow: await sideways(page, [NARROW]) }).toEqual({ light: [], dark: [], narrow: [] })
}

stories('For everyone', (story) => {
  for (const stop of STOPS) {
    story(`${stop[0]}: axe finds nothing in both themes, and it does not scroll sideways at 360 px`, ({ page }) =>
      look(page, stop),
    )
  }

  story(
    'the sign-in: the same',
    async ({ page, complaints }) => {
      await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
      await page.goto('/sign-in')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('Enter your username.').waitFor()
      await bring(page)
      const light = await complain(page)
      await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
      expect([...light, ...(await complain(page, COLOURS)), ...(await sideways(page, [NARROW]))]).toEqual([])
      complaints.splice(0)
    },
    { signedIn: false },
  )

  for (const [name, address, ready] of STRONG) {
    story(`${name}: in high contrast text stands out by 7:1, light and dark`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
      await page.goto(address)
      await page.getByText(ready).first().waitFor()
      // The pages of a file share their storage: what the button keeps is set for this page alone.
      await page.evaluate(() => {
        document.documentElement.dataset.theme = 'contrast'
      })
      await bring(page)
      const light = await complain(page, WEAK)
      await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
      expect({ light, dark: await complain(page, WEAK) }).toEqual({ light: [], dark: [] })
    })
  }

  story('who asks the system for more contrast gets it, unless a theme was chosen here', async ({ page }) => {
    const ink = () => page.evaluate(() => getComputedStyle(document.documentElement).color)
    await page.emulateMedia({ colorScheme: 'light', contrast: 'more' })
    await page.goto('/runtimes')
    await page.getByText('crm-bridge-dev-1').waitFor()
    expect(await ink()).toBe('rgb(0, 0, 0)')
    await page.getByRole('button', { name: 'Theme: as the system' }).click()
    await page.getByRole('button', { name: 'Theme: light' }).waitFor()
    expect(await ink()).not.toBe('rgb(0, 0, 0)')
  })

  story('without motion nothing moves', async ({ page }) => {
    await page.emulateMedia({ reducedMotion: 'reduce' })
    await page.goto('/runtimes')
    await page.getByText('crm-bridge-dev-1').waitFor()
    const moving = () => document.getAnimations().filter((each) => each.playState === 'running').length
    await expect.poll(() => page.evaluate(moving)).toBe(0)
  })
})
