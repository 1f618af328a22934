import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { stories } from './story'
import { arrive, type PageName, routeNames, TOUR } from './tour'

const WIDE = { width: 1440, height: 900 }
const SIZES = [
  { width: 360, height: 740 },
  { width: 3840, height: 2160 },
]
/** Four looks with axe at one page. */
const SLOW_MS = 90_000
/** The themes that a person can have, each with the system's own wish for light or dark. */
const THEMES = [
  ['light', 'light'],
  ['dark', 'dark'],
  ['contrast', 'light'],
  ['contrast', 'dark'],
] as const

async function complain(page: Page, rules?: string[]): Promise<string[]> {
  // Changes of colour are over before anything is measured.
  await page.waitForTimeout(40)
  const { violations } = await page.evaluate(
    (only) =>
      window.axe.run({
        resultTypes: ['violations'],
        ...(only ? { runOnly: { type: 'rule', values: only } } : {}),
      } as axe.RunOptions),
    rules,
  )
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`))
}

async function wear(page: Page, theme: string, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  // The pages of a file share their storage: the theme is set for this page alone.
  await page.evaluate((name) => {
    if (name === 'contrast') document.documentElement.dataset.theme = name
    else delete document.documentElement.dataset.theme
  }, theme)
}

async function sideways(page: Page): Promise<string[]> {
  const found: string[] = []
  for (const size of SIZES) {
    await page.setViewportSize(size)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    if (wide > size.width) found.push(`${wide} px in ${size.width}`)
  }
  await page.setViewportSize(WIDE)
  return found
}

test('the tour comes to every route of the console, and to nothing else', () => {
  expect(Object.keys(TOUR).sort()).toEqual(routeNames().sort())
})

stories('Everywhere', (story) => {
  for (const name of routeNames()) {
    const stop = TOUR[name as PageName]
    story(
      `${name}: axe finds nothing in light, dark and high contrast, and nothing scrolls sideways from 360 px to 4k`,
      async ({ page, complaints }) => {
        expect(stop, `${name} has no stop in e2e/tour.ts`).toBeDefined()
        await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
        await arrive(page, stop)
        await page.evaluate(axe.source)
        const found: Record<string, string[]> = { structure: await complain(page) }
        // What depends on the theme is the colours.
        for (const [theme, scheme] of THEMES.slice(1)) {
          await wear(page, theme, scheme)
          found[`${theme} on ${scheme}`] = await complain(page, ['color-contrast', 'link-in-text-block'])
        }
        found.sideways = await sideways(page)
        expect(Object.entries(found).filter(([, each]) => each.length > 0)).toEqual([])
        // The browser itself reports on its console that nobody is signed in yet.
        if (stop.as !== undefined) complaints.splice(0)
      },
      stop?.as === '' ? { signedIn: false, timeoutMs: SLOW_MS } : { as: stop?.as ?? 'admin', timeoutMs: SLOW_MS },
    )
  }
})
