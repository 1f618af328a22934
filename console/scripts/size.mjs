// Fails when the script that the first page needs is larger than the budget. The first page is the heaviest way in:
// the entry, everything it imports, and the largest page with everything that page imports.
import { readdir, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

const BUDGET_BYTES = 185_000
const dist = new URL('../dist/', import.meta.url)
const assets = new URL('assets/', dist)

const files = new Map()
for (const name of (await readdir(assets)).filter((each) => each.endsWith('.js'))) {
  const text = await readFile(new URL(name, assets), 'utf8')
  const imports = [...text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)].map((match) => match[1])
  files.set(name, {
    bytes: gzipSync(text).length,
    imports,
    pages: [...text.matchAll(/import\(["'`]\.\/([^"'`]+\.js)/g)],
  })
}

function closure(name, seen = new Set()) {
  if (seen.has(name) || !files.has(name)) return seen
  seen.add(name)
  for (const each of files.get(name).imports) closure(each, seen)
  return seen
}
const sum = (names) => [...names].reduce((total, name) => total + files.get(name).bytes, 0)

const html = await readFile(new URL('index.html', dist), 'utf8')
const entry = html.match(/src="\/assets\/([^"]+\.js)"/)?.[1]
if (!entry) throw new Error('index.html names no entry script; run `npm run build` first.')
const base = closure(entry)
const lazy = files.get(entry).pages.map((match) => match[1])
const pages = lazy.map((page) => ({ page, bytes: sum(closure(page, new Set(base))) })).sort((a, b) => b.bytes - a.bytes)

process.stdout.write(`shell ${sum(base)} bytes gzip\n`)
for (const { page, bytes } of pages) process.stdout.write(`${String(bytes).padStart(7)} ${page}\n`)
const worst = pages[0]?.bytes ?? sum(base)
process.stdout.write(`first page, at worst: ${worst} of ${BUDGET_BYTES} bytes gzip\n`)
if (worst > BUDGET_BYTES) process.exit(1)
