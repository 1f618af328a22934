import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const HERE = fileURLToPath(new URL('../', import.meta.url))
const TIMEOUT_MS = 60_000

/** Fails once: the second time its note is there. */
const FAILS_ONCE = `
import { existsSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
const once = (name) => {
  const seen = existsSync(name)
  if (!seen) writeFileSync(name, '')
  expect(seen).toBe(true)
}
`

let folder = ''
beforeEach(() => {
  // Below the console, so that its packages are found from there.
  mkdirSync(join(HERE, 'e2e/failed'), { recursive: true })
  folder = mkdtempSync(join(HERE, 'e2e/failed/look-'))
  mkdirSync(join(folder, 'e2e/failed'), { recursive: true })
  writeFileSync(
    join(folder, 'vitest.e2e.config.ts'),
    `const reporters = process.env.CI ? [['json', { outputFile: 'e2e/failed/stories.json' }]] : ['default']
     export default { test: { include: ['*.story.mjs'], reporters } }`,
  )
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function node(script: string, ...more: string[]) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')))
  const options = { cwd: folder, env: { ...env, CI: 'true' }, encoding: 'utf8' } as const
  return spawnSync(process.execPath, [join(HERE, script), ...more], options)
}

/** The whole run, then the second look. */
function twice(files: Record<string, string>) {
  for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, `${name}.story.mjs`), FAILS_ONCE + body)
  const whole = node('node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.e2e.config.ts')
  expect(whole.status).toBe(1)
  return node('scripts/second-look.mjs')
}

test(
  'what passes alone is named and fails the run no more, be it a story or a whole file',
  () => {
    const look = twice({
      one: `describe('A page (of many)', () => {
        test('asks: is it well? $1 + [x]', () => once('a'))
        test('asks: is it well? $1 + [x] at all', () => {})
      })`,
      two: `describe('A browser', () => {
        beforeAll(() => once('b'))
        test('is there', () => {})
      })`,
    })
    expect(look.stdout).toContain('passed  one.story.mjs > A page (of many) asks: is it well? $1 + [x]\n')
    expect(look.stdout).toContain('passed  two.story.mjs > the whole file')
    expect(look.stdout).toContain('UNSTEADY: 2')
    expect(look.status).toBe(0)
  },
  TIMEOUT_MS,
)

test(
  'what fails alone too fails the run',
  () => {
    const look = twice({ one: `test('never', () => expect(1).toBe(2)); test('once', () => once('c'))` })
    expect(look.stdout).toContain('failed  one.story.mjs > never')
    expect(look.stdout).toContain('passed  one.story.mjs > once')
    expect(look.status).toBe(1)
  },
  TIMEOUT_MS,
)

test(
  'more than a few are not looked at, and a run is judged by its own note alone',
  () => {
    const look = twice({ one: `for (const n of [1, 2, 3, 4, 5, 6]) test('story ' + n, () => once('d' + n))` })
    expect(look.stdout).toContain('6 stories failed')
    expect(look.status).toBe(1)
    const again = node('scripts/second-look.mjs')
    expect(again.stdout).toContain('did not come to its end')
    expect(again.status).toBe(1)
  },
  TIMEOUT_MS,
)
