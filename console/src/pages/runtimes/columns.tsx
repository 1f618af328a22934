import type { ReactNode } from 'react'
import type { RuntimeRowFragment } from '@/api/generated/operations'
import { typeNames } from '@/strings/common'
import { runtimes as words } from '@/strings/runtimes'
import { Age } from '@/ui/age'
import { ChannelSign, StalledMark } from '@/ui/change'
import { RowLink } from '@/ui/row-link'
import { CriticalBadge, Status, WarningMark } from '@/ui/status'
import { to } from '@/util/paths'
import { ROOM } from '@/util/room'
import { runtimeLabel } from '@/util/runtime-label'
import { exactTime } from '@/util/time'
import { Why } from './why'

export type Column = {
  key: string
  title: string
  /** Its width and looks. Widths are fixed, so that the columns of all environments line up; the one without takes the rest. */
  className?: string
  /** The width of the window from which there is room for it; what describes goes first, what decides stays. */
  from?: number
  cell: (runtime: RuntimeRowFragment) => ReactNode
}

const dash = <span className="text-faint">–</span>

/** From the left: what decides, then what identifies, then what describes. */
export const columns: Column[] = [
  {
    key: 'status',
    title: words.columns.status,
    className: 'w-[104px] sm:w-[154px]',
    cell: ({ status, statusSince, changes }) => (
      <span className="inline-flex items-center gap-2">
        <Status status={status} />
        <span className="hidden items-center gap-2 sm:inline-flex">
          <StalledMark changes={changes} />
          <Age at={statusSince} className="text-faint" />
        </span>
      </span>
    ),
  },
  {
    key: 'name',
    title: words.columns.name,
    className: 'flex-1! min-[1180px]:flex-none! min-[1180px]:w-[172px] min-[1440px]:w-[200px] min-[1680px]:w-[240px]',
    cell: (runtime) => (
      <span className="flex items-center gap-1.5">
        <RowLink
          link={to.runtime(runtime.id)}
          data-row
          data-tip={words.statusTip(runtimeLabel(runtime), runtime.statusReason, exactTime(runtime.statusSince))}
          className="mono link truncate"
        >
          {runtimeLabel(runtime)}
        </RowLink>
        {runtime.warnings.length > 0 && <WarningMark text={runtime.warnings.map((each) => each.message).join(' ')} />}
      </span>
    ),
  },
  {
    key: 'integration',
    title: words.columns.integration,
    className: 'w-[34%] min-[1180px]:w-[200px] min-[1680px]:w-[280px]',
    from: ROOM.small,
    cell: ({ project, integration }) => (
      <span data-tip={`${project.displayName} / ${integration.displayName}`} className="flex items-center gap-1">
        <RowLink link={to.project(project.handle)} className="link shrink-[20] truncate text-muted">
          {project.displayName}
        </RowLink>
        <span className="text-faint">/</span>
        <RowLink link={to.integration(project.handle, integration.handle)} className="link truncate">
          {integration.displayName}
        </RowLink>
      </span>
    ),
  },
  {
    key: 'environment',
    title: words.columns.environment,
    className: 'w-[22%] min-[1180px]:w-[150px]',
    from: ROOM.small,
    cell: ({ environment }) => (
      <span className="flex items-center gap-1.5">
        <span className="truncate">{environment.displayName}</span>
        {environment.critical && <CriticalBadge />}
      </span>
    ),
  },
  {
    key: 'heartbeat',
    title: words.columns.heartbeat,
    className: 'w-[104px] pl-0! text-right',
    cell: ({ lastHeartbeatAt, channel }) => (
      <span className="inline-flex items-center gap-1.5">
        <ChannelSign connected={channel?.connected ?? false} />
        {lastHeartbeatAt ? <Age at={lastHeartbeatAt} ago /> : <span className="text-faint">{words.never}</span>}
      </span>
    ),
  },
  {
    key: 'reason',
    title: words.columns.reason,
    className: 'reason flex-1!',
    from: ROOM.wide,
    cell: (runtime) => <Why runtime={runtime} />,
  },
  {
    key: 'node',
    title: words.columns.node,
    className: 'w-[120px]',
    from: ROOM.wider,
    cell: ({ node }) =>
      node.hostname ? (
        <span className="mono block truncate text-muted" data-tip={node.hostname}>
          {node.hostname}
        </span>
      ) : (
        dash
      ),
  },
  {
    key: 'type',
    title: words.columns.type,
    className: 'w-[56px]',
    from: ROOM.widest,
    cell: ({ type }) => (
      <span data-tip={typeNames[type].long} className="text-muted">
        {typeNames[type].short}
      </span>
    ),
  },
  {
    key: 'version',
    title: words.columns.version,
    className: 'w-[104px]',
    from: ROOM.widest,
    cell: ({ version }) =>
      version ? (
        <span className="mono block truncate text-muted" data-tip={version}>
          {version}
        </span>
      ) : (
        dash
      ),
  },
]
