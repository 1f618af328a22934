import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { bring, COLOURS, complain, sideways } from './look'
import { stories } from './story'
import { arrive, type PageName, routeNames, TOUR } from './tour'

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

async function wear(page: Page, theme: string, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
  // The pages of a file share their storage: the theme is set for this page alone.
  await page.evaluate((name) => {
    if (name === 'contrast') document.documentElement.dataset.theme = name
    else delete document.documentElement.dataset.theme
  }, theme)
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
        await bring(page)
        const found: Record<string, string[]> = { structure: await complain(page) }
        // What depends on the theme is the colours.
        for (const [theme, scheme] of THEMES.slice(1)) {
          await wear(page, theme, scheme)
          found[`${theme} on ${scheme}`] = await complain(page, COLOURS)
        }
        found.sideways = await sideways(page, SIZES)
        expect(Object.entries(found).filter(([, each]) => each.length > 0)).toEqual([])
        // The browser itself reports on its console that nobody is signed in yet.
        if (stop.as !== undefined) complaints.splice(0)
      },
      stop?.as === '' ? { signedIn: false, timeoutMs: SLOW_MS } : { as: stop?.as ?? 'admin', timeoutMs: SLOW_MS },
    )
  }
})
