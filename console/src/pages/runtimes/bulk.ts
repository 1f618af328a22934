import type { Permission, RuntimeRowFragment } from '@/api/generated/operations'
import type { Place } from '@/api/queries'
import { runtime as words } from '@/strings/runtimes'

export type BulkAction = 'restart' | 'level' | 'remove'
type Row = RuntimeRowFragment

/** So many runtimes at once: what is asked can still be read, and taken back in good time. */
export const MOST = 500
/** So many integrations and environments at once. */
export const MOST_PLACES = 50

export const NEEDED = {
  restart: 'INTEGRATION_MGT_EDIT',
  level: 'INTEGRATION_MGT_EDIT',
  remove: 'INTEGRATION_MGT_MANAGE',
} as const satisfies Record<BulkAction, Permission>

/** Why something cannot be asked of a runtime, whoever asks; undefined when it can. */
export function unable(action: BulkAction, { status, restartable }: Row): string | undefined {
  if (action !== 'restart') return undefined
  if (status !== 'RUNNING') return words.actions.notRunning
  return restartable ? undefined : words.actions.notRestartable
}

export type Split = { able: Row[]; leftOut: [why: string, rows: Row[]][] }

/** Those that can be touched, and the others by their reason. */
export function split(action: BulkAction, rows: Iterable<Row>, mayNot: (row: Row) => string | undefined): Split {
  const able: Row[] = []
  const leftOut = new Map<string, Row[]>()
  for (const row of rows) {
    const why = mayNot(row) ?? unable(action, row)
    if (why === undefined) able.push(row)
    else leftOut.set(why, [...(leftOut.get(why) ?? []), row])
  }
  return { able, leftOut: [...leftOut] }
}

export type PlaceGroup = { key: string; place: Place; environment: Row['environment']; rows: Row[] }

export function placeKey({ project, integration, environment }: Row): string {
  return [project.handle, integration.handle, environment.handle].join('/')
}

/** The runtimes by integration and environment: what is desired is desired of all in such a place. */
export function placesOf(rows: Iterable<Row>): PlaceGroup[] {
  const places = new Map<string, PlaceGroup>()
  for (const row of rows) {
    const key = placeKey(row)
    const known = places.get(key)
    if (known) known.rows.push(row)
    else {
      const { project, integration, environment } = row
      const place = { project: project.handle, integration: integration.handle, environment: environment.handle }
      places.set(key, { key, place, environment, rows: [row] })
    }
  }
  return [...places.values()]
}

/** The runtimes by environment, critical ones first. */
export function environmentsOf(rows: Iterable<Row>): { environment: Row['environment']; rows: Row[] }[] {
  const all = new Map<string, { environment: Row['environment']; rows: Row[] }>()
  for (const row of rows) {
    const known = all.get(row.environment.handle)
    if (known) known.rows.push(row)
    else all.set(row.environment.handle, { environment: row.environment, rows: [row] })
  }
  return [...all.values()].sort((a, b) => Number(b.environment.critical) - Number(a.environment.critical))
}
