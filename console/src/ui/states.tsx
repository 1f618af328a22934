import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CloudOff, RotateCw, SearchX } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Permission } from '@/api/generated/operations'
import { asProblem } from '@/api/problem'
import { viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { missing } from '@/strings/shell'
import { to } from '@/util/paths'
import { wireName } from '@/util/permissions'
import { useAnnounced } from './announcer'
import { Button, buttonClass } from './button'
import { Reference } from './reference'
import { Said } from './said'

/** Loading, in the shape of what comes; appears only after 200 ms. */
export function Skeleton({ rows = 5, label }: { rows?: number; label: string }) {
  return (
    <div className="late space-y-px py-1" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows without identity
        <div key={row} className="flex h-[27px] items-center gap-6 px-3.5">
          <div className="breathe h-2.5 w-20 rounded bg-line" />
          <div className="breathe h-2.5 w-40 rounded bg-line" />
          <div className="breathe h-2.5 flex-1 rounded bg-line" />
        </div>
      ))}
    </div>
  )
}

type CouldNotLoadProps = { what: string; error: unknown; onRetry: () => void }

/** Failure is never shown as emptiness: what failed, why, and a way to try again. */
export function CouldNotLoad({ what, ...rest }: CouldNotLoadProps) {
  return <Failed title={strings.couldNotLoad(what)} {...rest} />
}

type FailedProps = { title: string; error: unknown; onRetry: () => void }

export function Failed({ title, error, onRetry }: FailedProps) {
  const problem = asProblem(error)
  return (
    <div role="alert" className="flex flex-wrap items-start gap-3 px-3.5 py-4">
      <CloudOff size={16} className="mt-0.5 text-bad" aria-hidden />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title}</p>
        <p className="text-muted">
          <Said text={problem.message} /> <Said text={problem.fix} /> <code className="text-faint">{problem.code}</code>{' '}
          <Reference id={problem.requestId} />
        </p>
      </div>
      <Button onClick={onRetry}>
        <RotateCw size={14} aria-hidden />
        {strings.retry}
      </Button>
    </div>
  )
}

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-2 px-3.5 py-4">
      <div className="min-w-0 max-w-prose flex-1 basis-64">
        <p className="font-medium">{title}</p>
        {children && <div className="text-muted">{children}</div>}
      </div>
      {action}
    </div>
  )
}

/** What is not there, or may not be seen: a page with ways out. */
/** What one needs to see a thing of this kind. */
const NEEDED: Record<string, Permission> = {
  [missing.kinds.project]: 'PROJECT_MGT_VIEW',
  [missing.kinds.integration]: 'INTEGRATION_MGT_VIEW',
  [missing.kinds.runtime]: 'INTEGRATION_MGT_VIEW',
}

/** Whom to ask for a thing that is there and not shown: what is not seen is not there, and is not told apart. */
function Ask({ permission }: { permission: Permission }) {
  const viewer = useQuery(viewerQuery).data?.viewer
  if (!viewer) return null
  return (
    <p className="mt-2 text-muted">
      <Said text={missing.ask(viewer.username, wireName(permission))} />
    </p>
  )
}

export function Missing({ what }: { what?: string }) {
  const heading = what ? missing.thing(what) : missing.page
  useAnnounced(heading)
  return (
    <div className="mx-auto max-w-lg px-4 py-20">
      <title>{strings.title(missing.title)}</title>
      <SearchX size={22} className="mb-3 text-faint" aria-hidden />
      <h1 className="text-[18px]">{heading}</h1>
      <p className="mt-1 text-muted">{missing.why}</p>
      {what && NEEDED[what] && <Ask permission={NEEDED[what]} />}
      <div className="mt-4 flex flex-wrap gap-2">
        <Link {...to.home()} className={buttonClass('solid')}>
          {missing.home}
        </Link>
        <Link {...to.projects()} className={buttonClass()}>
          {missing.projects}
        </Link>
        <Link {...to.runtimes()} className={buttonClass()}>
          {missing.runtimes}
        </Link>
      </div>
    </div>
  )
}
