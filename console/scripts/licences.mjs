// The packages whose code or style the build ships, each with its licence as the package itself carries it.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const MARK = '/node_modules/'
const NAMED = /^(licen[cs]e|copying|notice)/i

/** The folder of the package that a module lies in; nothing for our own. */
function folderOf(id) {
  const path = id.replace(/^\0+/, '').split('?')[0]
  const at = path.lastIndexOf(MARK)
  if (at < 0) return undefined
  const [scope, name] = path.slice(at + MARK.length).split('/')
  return `${path.slice(0, at)}${MARK}${scope.startsWith('@') ? `${scope}/${name}` : scope}`
}

/** The packages that a style sheet of ours takes in: they are part of it, and no modules of the build. */
function importedBy(path, modules) {
  const found = readFileSync(path, 'utf8').matchAll(/@import "([^"./][^"]*)"/g)
  return [...found].map(([, name]) => join(modules, name, 'index.css'))
}

function describe(folder) {
  const { name, version, license, licenses } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const texts = readdirSync(folder)
    .filter((file) => NAMED.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim())
  const named =
    typeof license === 'string' ? license : (license?.type ?? licenses?.map((each) => each.type).join(' OR '))
  if (!named) throw new Error(`The package ${name} names no licence.`)
  return { name, version, licence: named, text: texts.join('\n\n') }
}

/** Every package of a build by its modules, by name. Fails for one that names no licence. */
export function licencesOf(ids) {
  const modules = join(dirname(dirname(new URL(import.meta.url).pathname)), 'node_modules')
  const styles = ids.map((id) => id.split('?')[0]).filter((id) => id.endsWith('.css') && !id.includes(MARK))
  const all = [...ids, ...styles.flatMap((path) => importedBy(path, modules))]
  const folders = new Set(all.map(folderOf).filter(Boolean))
  return [...folders].map(describe).sort((a, b) => (a.name < b.name ? -1 : 1))
}
