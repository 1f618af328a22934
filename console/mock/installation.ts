import type * as api from '../src/api/generated/schema'
import { type Db, iso } from './db'
import { refuse } from './refuse'

const VERSION = '0.1.0-mock'

const setting = (
  variable: string,
  meaning: string,
  standard: string,
  rest: Partial<api.Setting> = {},
): api.Setting => ({
  variable: `PILOTHOUSE_${variable}`,
  meaning,
  default: standard,
  value: standard,
  origin: 'DEFAULT',
  secret: false,
  isSet: true,
  ...rest,
})

const SETTINGS = [
  setting('HOME', 'Directory of database, certificate and key.', '~/.local/share/pilothouse', {
    value: '/var/lib/pilothouse',
    origin: 'ENVIRONMENT',
  }),
  setting('DATABASE_URL', '`postgresql://user:password@host:5432/database`.', '`pilothouse.db` in the home directory', {
    value: null,
    origin: 'ENVIRONMENT',
    secret: true,
  }),
  setting('RUNTIME_PORT', 'Port for runtimes.', '9445', { origin: 'ARGUMENT' }),
  setting('CONSOLE_PORT', 'Port for the console and the APIs.', '9446'),
  setting('METRICS_TOKEN', 'Bearer token that lets other machines read `/metrics`.', 'none', {
    value: null,
    secret: true,
    isSet: false,
  }),
  setting('OFFLINE_AFTER_S', 'Seconds of silence before a runtime counts as offline, at least.', '30'),
  setting('TELEMETRY_STORE', 'Where logs, metrics and traces are kept.', 'embedded'),
  setting('SMTP_FROM', 'The address that alerts come from.', 'none', { value: null, isSet: false }),
]

/** What runs here, what was set, and what each person keeps for themselves. */
export function installationRoot(db: Db) {
  const { people } = db
  const administers = () => people.holds('ENVIRONMENT_MGT_MANAGE', {})
  const mine = () => {
    const found = db.kept.get(people.viewer) ?? []
    db.kept.set(people.viewer, found)
    return found
  }
  return {
    installation: (): api.Installation => ({
      version: VERSION,
      startedAt: db.startedAt,
      python: 'CPython 3.12.7',
      platform: 'Linux x86_64',
      database: 'postgresql',
      databaseVersion: '17.2',
      telemetryStore: 'embedded',
      replicaCount: 2,
      replicas: administers()
        ? [
            { host: 'plane-1', process: 4711, version: VERSION, startedAt: db.startedAt, answers: true },
            { host: 'plane-2', process: 4688, version: VERSION, startedAt: db.startedAt, answers: false },
          ]
        : null,
      components: [
        { name: 'duckdb', version: '2.0.0', licence: 'MIT', url: 'https://duckdb.org' },
        { name: 'pilothouse', version: VERSION, licence: 'Apache-2.0', url: null },
        { name: 'starlette', version: '1.10.0', licence: 'BSD-3-Clause', url: 'https://www.starlette.io' },
      ],
    }),
    settings: () =>
      administers() ? SETTINGS : refuse('NOT_PERMITTED', 'You need the permission environment_mgt:manage everywhere.'),
    kept: () => mine().toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    keep: ({ input: { name, value } }: { input: api.KeepInput }) => {
      if (!name.trim()) refuse('INVALID_INPUT', 'A name has 1 to 100 printable characters.', { field: 'name' })
      const before = mine().find((each) => each.name === name.trim())
      if (before) return Object.assign(before, { value, changedAt: iso(0) })
      const made: api.Kept = { id: people.id('k'), name: name.trim(), value, changedAt: iso(0) }
      mine().push(made)
      return made
    },
    forgetKept: ({ id }: { id: string }) => {
      const at = mine().findIndex((each) => each.id === id)
      if (at < 0) refuse('NOT_FOUND', 'You keep nothing with this id.', { field: 'id' })
      mine().splice(at, 1)
      return true
    },
  }
}
