// The documents of the console by their SHA-256: what the control plane runs when it is told the digest alone.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

const GENERATED = new URL('../src/api/generated/', import.meta.url)

/** Every operation exactly as the console sends it: the texts of the template literals that `npm run gen` wrote. */
export function manifest() {
  const known = {}
  for (const name of readdirSync(GENERATED).sort()) {
    const source = readFileSync(new URL(name, GENERATED), 'utf8')
    for (const [, text] of source.matchAll(/Document = \/\*#__PURE__\*\/ new TypedDocumentString\(`([^`]*)`/g)) {
      if (/[\\$]\{|\\/.test(text))
        throw new Error(`A document of ${name} holds what a template literal reads otherwise.`)
      known[createHash('sha256').update(text).digest('hex')] = text
    }
  }
  return known
}
