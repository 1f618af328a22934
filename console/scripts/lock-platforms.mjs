// A registry that carries packages of one platform only makes `npm install` write a lock file without the optional
// packages of the others, and `npm ci` then refuses that file everywhere. This adds what is missing: run it after
// every change of dependencies. Entries made here have no integrity, because there was nothing to compute it from.
import { readFile, writeFile } from 'node:fs/promises'

const OS = ['android', 'darwin', 'freebsd', 'openbsd', 'netbsd', 'openharmony', 'linux', 'win32', 'sunos', 'aix']
const CPU = ['arm64', 'x64', 'arm', 'ia32', 'ppc64', 's390x', 'riscv64', 'loong64', 'wasm32', 'mips64el']

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(await readFile(path, 'utf8'))
const packages = lock.packages
let added = 0

for (const [owner, entry] of Object.entries(packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(owner, name)) continue
    const version = /^\d+\.\d+\.\d+\S*$/.test(range) ? range : undefined
    const words = name.split(/[-/]/)
    const os = words.find((word) => OS.includes(word))
    const cpu = CPU.find((each) =>
      words.some((word) => word === each || (each !== 'arm64' && word.startsWith(`${each}h`))),
    )
    if (!version || !(os || cpu)) {
      process.stderr.write(`Left out: ${name}@${range}, an optional package of ${owner || 'the console'}.\n`)
      continue
    }
    const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : os === 'linux' ? 'glibc' : undefined
    packages[`node_modules/${name}`] = {
      version,
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc: [libc] } : {}),
      license: entry.license,
      optional: true,
      ...(os ? { os: [os] } : {}),
    }
    added += 1
  }
}

/** A package may be locked at the top or inside one of the folders above its owner. */
function isLocked(owner, name) {
  for (let folder = owner; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${folder ? `${folder}/` : ''}node_modules/${name}`]) return true
    if (folder === '') return false
  }
}

lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
await writeFile(path, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(`Added ${added} entries.\n`)
