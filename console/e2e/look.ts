import axe from 'axe-core'
import type { Page } from 'playwright-core'

export const WIDE = { width: 1440, height: 900 }
/** What depends on the theme; the rest of what axe finds is the same in all of them. */
export const COLOURS = ['color-contrast', 'link-in-text-block']

declare global {
  interface Window {
    axe: typeof axe
  }
}

/** Gives the page axe, once it has its content. */
export const bring = (page: Page) => page.evaluate(axe.source)

/** What axe finds, by all of its rules or by some; changes of colour are over before anything is measured. */
export async function complain(page: Page, rules?: string[]): Promise<string[]> {
  await page.waitForTimeout(40)
  const { violations } = await page.evaluate(
    (only) =>
      window.axe.run({
        resultTypes: ['violations'],
        ...(only
          ? {
              runOnly: { type: 'rule', values: only },
              rules: Object.fromEntries(only.map((rule) => [rule, { enabled: true }])),
            }
          : {}),
      } as axe.RunOptions),
    rules,
  )
  return violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`))
}

/** The widths at which the page scrolls sideways. */
export async function sideways(page: Page, sizes: { width: number; height: number }[]): Promise<string[]> {
  const found: string[] = []
  for (const size of sizes) {
    await page.setViewportSize(size)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    if (wide > size.width) found.push(`${wide} px in ${size.width}`)
  }
  await page.setViewportSize(WIDE)
  return found
}
