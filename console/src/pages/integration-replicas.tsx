import { Link } from '@tanstack/react-router'
import type { RuntimeRowFragment } from '@/api/generated/operations'
import { integration as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { ChangeMark, ChannelSign } from '@/ui/change'
import { Status, WarningMark } from '@/ui/status'
import { to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import type { RuntimesSearch } from '@/util/search'
import { hasWhy, Why } from './runtimes/why'

/** So many stand side by side; the list of runtimes has all of them. */
const SHOWN = 12

type ReplicasProps = { rows: RuntimeRowFragment[]; total: number; search: RuntimesSearch }

/** The copies of an integration in one environment side by side, those that are not well first and with their reason. */
export function Replicas({ rows, total, search }: ReplicasProps) {
  const first = rows[0]
  if (!first) return null
  const sorted = rows.toSorted((a, b) => Number(hasWhy(b)) - Number(hasWhy(a)))
  const versions = new Set(rows.map(({ version }) => version))
  return (
    <>
      <ul className="mt-1.5 grid gap-2 sm:grid-cols-2 min-[1500px]:grid-cols-3">
        {sorted.slice(0, SHOWN).map((row) => (
          <Replica key={row.id} row={row} versioned={versions.size > 1} />
        ))}
      </ul>
      {total > SHOWN && (
        <Link
          {...to.integrationRuntimes(first.project.handle, first.integration.handle, search)}
          className="link nums mt-1 inline-block"
        >
          {words.moreReplicas(total - SHOWN)}
        </Link>
      )}
    </>
  )
}

/** `versioned` where the copies run different versions: then each says which, marked. */
function Replica({ row, versioned }: { row: RuntimeRowFragment; versioned: boolean }) {
  return (
    <li className="min-w-0 rounded-md border border-line px-2.5 py-1.5">
      <span className="flex flex-wrap items-center gap-x-2">
        <Link {...to.runtime(row.id)} className="mono link min-w-0 truncate font-medium">
          {runtimeLabel(row)}
        </Link>
        {row.channel && <ChannelSign connected={row.channel.connected} />}
        {row.version && (
          <code className={`ml-auto ${versioned ? 'font-medium text-warn' : 'text-faint'}`}>{row.version}</code>
        )}
      </span>
      <span className="flex flex-wrap items-center gap-x-2">
        {row.warnings[0] && <WarningMark text={row.warnings[0].message} />}
        <Status status={row.status} />
        <Age at={row.statusSince} className="text-faint" />
        <ChangeMark changes={row.changes} />
        {row.node.hostname && <code className="ml-auto truncate text-faint">{row.node.hostname}</code>}
      </span>
      {hasWhy(row) && (
        <span className="mt-0.5 block text-[12px] text-muted">
          <Why runtime={row} />
        </span>
      )}
    </li>
  )
}
