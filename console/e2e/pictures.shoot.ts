import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Stage, setStage } from './browser'
import { pageOfPages } from './page-of-pages'
import { keep, look, major, PICTURES, SETTINGS, TAKEN_BY, THEMES, take } from './picture'
import { fileName, TOUR } from './tour'

const REFERENCE = new URL('../../docs/reference/console.md', import.meta.url)

// Not a test of anything: `make pictures` writes docs/images/pages and the page of the documentation that shows them.
describe('Pictures of every page', () => {
  let stage: Stage
  beforeAll(async () => {
    mkdirSync(PICTURES, { recursive: true })
    const wanted = new Set(Object.keys(TOUR).flatMap((name) => THEMES.map((theme) => `${fileName(name)}-${theme}.png`)))
    for (const name of readdirSync(PICTURES)) if (!wanted.has(name)) rmSync(new URL(name, PICTURES))
    keep(REFERENCE, pageOfPages())
    stage = await setStage(SETTINGS)
    keep(TAKEN_BY, `${JSON.stringify({ chromium: major(stage.version) })}\n`)
  })
  afterAll(() => stage?.close())

  for (const [name, stop] of Object.entries(TOUR))
    for (const theme of THEMES)
      test(`${name}, ${theme}`, { timeout: 120_000 }, async () => {
        const { page, leave } = await stage.open(look(stop, theme))
        try {
          const picture = await take(page, stop, theme)
          keep(new URL(`${fileName(name)}-${theme}.png`, PICTURES), picture)
          expect(picture.length).toBeLessThan(120_000)
        } finally {
          await leave()
        }
      })
})
