import { useQueries } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useState } from 'react'
import { type RuntimeRowFragment, RuntimesDocument } from '@/api/generated/operations'
import { mayQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { bulk as words } from '@/strings/bulk'
import { strings } from '@/strings/common'
import { steering } from '@/strings/steering'
import { Button } from '@/ui/button'
import { TypedName, unnamed } from '@/ui/confirm'
import { CopyCli } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { Field, inputClass, Select } from '@/ui/field'
import { Said } from '@/ui/said'
import { CriticalBadge } from '@/ui/status'
import { cli } from '@/util/cli'
import { levelsOf } from '@/util/levels'
import { mayNot } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import {
  type BulkAction,
  environmentsOf,
  MOST_PLACES,
  NEEDED,
  type PlaceGroup,
  placeKey,
  placesOf,
  type Split,
  split,
} from './bulk'
import { removeAll, restartAll, setLevelIn } from './use-bulk'

/** So many are named; how many there are is said. */
const NAMED = 6

type BulkDialogProps = { action: BulkAction; rows: RuntimeRowFragment[]; onClose: (begun: boolean) => void }

/** Says what will be touched, what is left out and why, and begins when each critical environment has been named. */
export function BulkDialog({ action, rows, onClose }: BulkDialogProps) {
  const { refused, isReading } = useRights(action, rows)
  const parts = split(action, rows, (row) => refused.get(placeKey(row)))
  const { able } = parts
  const [typed, setTyped] = useState<Record<string, string>>({})
  const [logger, setLogger] = useState('')
  const [level, setLevel] = useState('DEBUG')
  const [withSecrets, setWithSecrets] = useState(false)
  const environments = environmentsOf(able)
  const missing = environments.map(({ environment }) => unnamed(environment, typed[environment.handle] ?? ''))
  const blocked =
    (isReading ? words.readingRights : undefined) ??
    (able.length === 0 ? words.nothing : undefined) ??
    (action === 'level' && !logger.trim() ? steering.loggerNeeded : undefined) ??
    missing.find(Boolean)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (blocked) return
    if (action === 'restart') restartAll(able)
    else if (action === 'remove') removeAll(able, withSecrets)
    else setLevelIn(placesOf(able), logger.trim(), level)
    onClose(true)
  }
  const title = action === 'level' ? words.titles.level : words.titles[action](able.length)
  return (
    <Dialog open wide onOpenChange={(open) => !open && onClose(false)} title={title} about={words.abouts[action]}>
      <form onSubmit={submit}>
        {action === 'level' && (
          <LevelFields rows={able} logger={logger} onLogger={setLogger} level={level} onLevel={setLevel} />
        )}
        {action === 'level' ? <Places groups={placesOf(able)} /> : <Environments groups={environments} />}
        <LeftOut parts={parts} />
        {action === 'remove' && <Secrets rows={able} checked={withSecrets} onChange={setWithSecrets} />}
        <div className="my-3 flex">
          <CopyCli command={commandOf(action, able, { logger: logger.trim() || 'LOGGER', level, withSecrets })} />
        </div>
        {environments.map(({ environment }) => (
          <TypedName
            key={environment.handle}
            environment={environment}
            value={typed[environment.handle] ?? ''}
            onChange={(value) => setTyped({ ...typed, [environment.handle]: value })}
          />
        ))}
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={() => onClose(false)}>{strings.cancel}</Button>
          <Button look={action === 'level' ? 'solid' : 'danger'} type="submit" blocked={blocked}>
            {action === 'level' ? words.submits.level(level) : words.submits[action](able.length)}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** Where this person may not do it; of more places than are asked for the control plane itself tells. */
function useRights(action: BulkAction, rows: RuntimeRowFragment[]) {
  const places = placesOf(rows).slice(0, MOST_PLACES)
  const queries = useQueries({ queries: places.map(({ place }) => mayQuery(NEEDED[action], place)) })
  const refused = new Map<string, string>()
  places.forEach(({ key }, index) => {
    const why = queries[index]?.data?.allowed === false ? mayNot([], NEEDED[action]) : undefined
    if (why) refused.set(key, why)
  })
  return { refused, isReading: queries.some((query) => query.isPending) }
}

const namesOf = (rows: RuntimeRowFragment[]) =>
  words.names(rows.slice(0, NAMED).map(runtimeLabel).join(', '), Math.max(0, rows.length - NAMED))

function Entry({ title, rows, children }: { title: ReactNode; rows: RuntimeRowFragment[]; children?: ReactNode }) {
  return (
    <li className="py-1">
      <span className="flex flex-wrap items-center gap-x-2">
        {title}
        {children}
      </span>
      <span className="mono block break-words text-muted">{namesOf(rows)}</span>
    </li>
  )
}

function Environments({ groups }: { groups: ReturnType<typeof environmentsOf> }) {
  return (
    <section aria-label={words.touches}>
      <h3 className="font-medium">{words.touches}</h3>
      <ul>
        {groups.map(({ environment, rows }) => (
          <Entry key={environment.handle} title={words.inEnvironment(rows.length, environment.displayName)} rows={rows}>
            {environment.critical && <CriticalBadge />}
          </Entry>
        ))}
      </ul>
    </section>
  )
}

/** How many runtimes there are in each place: all of them are touched. */
function Places({ groups }: { groups: PlaceGroup[] }) {
  const counts = useQueries({
    queries: groups.map(({ place }) => ({
      queryKey: ['counts', 'in', place],
      queryFn: async () =>
        (await graphql(RuntimesDocument, { filter: place, sort: null, first: 1, after: null })).runtimes.totalCount,
    })),
  })
  return (
    <section aria-label={words.touches}>
      <h3 className="font-medium">{words.touches}</h3>
      <ul className="max-h-64 overflow-y-auto">
        {groups.map(({ key, environment, rows }, index) => (
          <Entry key={key} title={<code>{key}</code>} rows={rows}>
            {environment.critical && <CriticalBadge />}
            <span className="nums text-muted">{words.inPlace(rows.length, counts[index]?.data)}</span>
          </Entry>
        ))}
      </ul>
    </section>
  )
}

function LeftOut({ parts: { leftOut } }: { parts: Split }) {
  if (leftOut.length === 0) return null
  const count = leftOut.reduce((sum, [, rows]) => sum + rows.length, 0)
  return (
    <section aria-label={words.leftOut(count)} className="mt-3">
      <h3 className="font-medium">{words.leftOut(count)}</h3>
      <ul>
        {leftOut.map(([why, rows]) => (
          <Entry key={why} title={<Said text={why} />} rows={rows} />
        ))}
      </ul>
    </section>
  )
}

type LevelFieldsProps = {
  rows: RuntimeRowFragment[]
  logger: string
  onLogger: (logger: string) => void
  level: string
  onLevel: (level: string) => void
}

function LevelFields({ rows, logger, onLogger, level, onLevel }: LevelFieldsProps) {
  return (
    <div className="grid gap-x-3 sm:grid-cols-[1fr_140px]">
      <Field label={steering.loggerName} hint={<Said text={steering.loggerNameHint} />}>
        {(wiring) => (
          <input
            {...wiring}
            value={logger}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onLogger(event.target.value)}
            className={`${inputClass} mono`}
          />
        )}
      </Field>
      <Field label={steering.levelName}>
        {(wiring) => (
          <Select {...wiring} value={level} onChange={(event) => onLevel(event.target.value)}>
            {levelsOf(rows.map((row) => row.type)).map((each) => (
              <option key={each}>{each}</option>
            ))}
          </Select>
        )}
      </Field>
    </div>
  )
}

type SecretsProps = { rows: RuntimeRowFragment[]; checked: boolean; onChange: (checked: boolean) => void }

function Secrets({ rows, checked, onChange }: SecretsProps) {
  const live = rows.filter((row) => row.status === 'RUNNING').length
  return (
    <div className="mt-3">
      {live > 0 && <p className="mb-2">{words.live(live)}</p>}
      <label className="flex cursor-pointer items-start gap-2.5">
        <input
          type="checkbox"
          checked={checked}
          onChange={(event) => onChange(event.target.checked)}
          className="mt-[3px] accent-solid"
        />
        <span>
          <span className="font-medium">{words.secrets}</span>
          <span className="block text-[12px] text-muted">{words.secretsAbout}</span>
        </span>
      </label>
    </div>
  )
}

type Asked = { logger: string; level: string; withSecrets: boolean }

/** The same from a terminal: a line for each. */
function commandOf(action: BulkAction, rows: RuntimeRowFragment[], { logger, level, withSecrets }: Asked): string {
  if (action === 'restart') return rows.map((row) => cli.restartRuntime(row)).join('\n')
  if (action === 'remove') return rows.map((row) => cli.removeRuntime(row, withSecrets)).join('\n')
  const target = { kind: 'LOGGER', name: logger, package: '', aspect: 'LEVEL' }
  return placesOf(rows)
    .map(({ place, environment }) =>
      cli.setArtifact(target, level, { ...place, ...(environment.critical ? { confirm: environment.handle } : {}) }),
    )
    .join('\n')
}
