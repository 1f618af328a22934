import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, type Stage, setStage } from './browser'
import { pageOfPages } from './page-of-pages'
import { compare, keep, look, major, PICTURES, SETTINGS, SHARE_MAX, TAKEN_BY, THEMES, take } from './picture'
import { fileName, routeNames, TOUR } from './tour'

const FAILED = new URL('failed/', import.meta.url)
const TOTAL_BYTES_MAX = 6_000_000
const takenBy: string = existsSync(TAKEN_BY) ? JSON.parse(readFileSync(TAKEN_BY, 'utf8')).chromium : 'none'

describe('The pictures of the documentation', () => {
  const files = routeNames().flatMap((name) => THEMES.map((theme) => `${fileName(name)}-${theme}.png`))

  test('every route has one in both themes: `make pictures` takes them', () => {
    expect(files.filter((name) => !existsSync(new URL(name, PICTURES)))).toEqual([])
  })

  test('together they are no burden', () => {
    const there = files.filter((name) => existsSync(new URL(name, PICTURES)))
    const bytes = there.reduce((sum, name) => sum + statSync(new URL(name, PICTURES)).size, 0)
    expect(bytes).toBeLessThan(TOTAL_BYTES_MAX)
  })

  test('the page that shows them names every page as it is', () => {
    expect(readFileSync(new URL('../../docs/reference/console.md', import.meta.url), 'utf8')).toBe(pageOfPages())
  })
})

const missing = findChromium() === undefined
const required = process.env.PILOTHOUSE_REQUIRE_ALL === '1'

describe.skipIf(missing && !required)('The main pages look as in the documentation', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await setStage(SETTINGS)
  })
  afterAll(() => stage?.close())

  for (const [name, stop] of Object.entries(TOUR).filter(([, each]) => each.held))
    for (const theme of THEMES)
      test(`${name}, ${theme} (pictures by Chromium ${takenBy})`, { timeout: 120_000 }, async (context) => {
        // Another version draws letters in another way: nothing could be said about the console.
        const own = major(stage.version)
        context.skip(own !== takenBy, `this is Chromium ${own}, the pictures are of ${takenBy}: \`make pictures\``)
        const file = `${fileName(name)}-${theme}`
        const expected = readFileSync(new URL(`${file}.png`, PICTURES))
        const { page, leave } = await stage.open(look(stop, theme))
        try {
          const actual = await take(page, stop, theme)
          const { share, picture } = await compare(page, expected, actual)
          if (share > SHARE_MAX) {
            mkdirSync(FAILED, { recursive: true })
            keep(new URL(`${file}-expected.png`, FAILED), expected)
            keep(new URL(`${file}-actual.png`, FAILED), actual)
            keep(new URL(`${file}-difference.png`, FAILED), picture)
          }
          expect(share, `see e2e/failed/${file}-difference.png; wanted? \`make pictures\``).toBeLessThan(SHARE_MAX)
        } finally {
          await leave()
        }
      })
})
