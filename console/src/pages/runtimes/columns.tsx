import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { RuntimeRowFragment } from '@/api/generated/operations'
import { typeNames } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { Age } from '@/ui/age'
import { Status, WarningMark } from '@/ui/status'
import { to } from '@/util/paths'
import { exactTime } from '@/util/time'

/** A runtime's label; without one the start of its identity. */
export function runtimeLabel(runtime: Pick<RuntimeRowFragment, 'name' | 'runtimeId'>): string {
  return runtime.name ?? runtime.runtimeId.slice(0, 8)
}

export type Column = {
  key: string
  title: string
  className?: string
  cell: (runtime: RuntimeRowFragment) => ReactNode
}

const dash = <span className="text-faint">–</span>

/** From the left: what decides, then what identifies, then what describes. Narrow screens keep the first two kinds. */
export const columns: Column[] = [
  {
    key: 'status',
    title: words.columns.status,
    cell: ({ status, statusSince }) => (
      <span className="inline-flex items-center gap-2">
        <Status status={status} />
        <Age at={statusSince} className="hidden text-faint sm:inline" />
      </span>
    ),
  },
  {
    key: 'name',
    title: words.columns.name,
    cell: (runtime) => (
      <span className="inline-flex items-center gap-1.5">
        <Link
          {...to.runtime(runtime.id)}
          data-row
          data-tip={words.statusTip(runtime.statusReason, exactTime(runtime.statusSince))}
          className="mono link max-w-[16rem] truncate"
        >
          {runtimeLabel(runtime)}
        </Link>
        {runtime.warnings.length > 0 && <WarningMark text={runtime.warnings.map((each) => each.message).join(' ')} />}
      </span>
    ),
  },
  {
    key: 'integration',
    title: words.columns.integration,
    className: 'hidden sm:table-cell',
    cell: ({ project, integration }) => (
      <span className="inline-flex items-center gap-1">
        <Link {...to.project(project.handle)} className="link text-muted">
          {project.displayName}
        </Link>
        <span className="text-faint">/</span>
        <Link {...to.integration(project.handle, integration.handle)} className="link">
          {integration.displayName}
        </Link>
      </span>
    ),
  },
  {
    key: 'heartbeat',
    title: words.columns.heartbeat,
    className: 'text-right',
    cell: ({ lastHeartbeatAt }) =>
      lastHeartbeatAt ? <Age at={lastHeartbeatAt} ago /> : <span className="text-faint">{words.never}</span>,
  },
  {
    key: 'reason',
    title: words.columns.reason,
    className: 'hidden lg:table-cell w-full max-w-0 truncate text-muted',
    cell: ({ status, statusReason }) => (
      <span data-tip={statusReason} className={status === 'RUNNING' ? 'text-faint' : undefined}>
        {statusReason}
      </span>
    ),
  },
  {
    key: 'node',
    title: words.columns.node,
    className: 'hidden md:table-cell',
    cell: ({ node }) => (node.hostname ? <span className="mono text-muted">{node.hostname}</span> : dash),
  },
  {
    key: 'type',
    title: words.columns.type,
    className: 'hidden md:table-cell',
    cell: ({ type }) => (
      <span data-tip={typeNames[type].long} className="text-muted">
        {typeNames[type].short}
      </span>
    ),
  },
  {
    key: 'version',
    title: words.columns.version,
    className: 'hidden md:table-cell',
    cell: ({ version }) => (version ? <span className="mono text-muted">{version}</span> : dash),
  },
]
