import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { RefusalsQuery } from '@/api/generated/operations'
import { refusalsQuery } from '@/api/queries'
import { refusals as words } from '@/strings/runtimes'
import { Age } from '@/ui/age'
import { Panel } from '@/ui/dialog'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { to } from '@/util/paths'

type PanelState = { open: boolean; onOpenChange: (open: boolean) => void }

export function RefusalsPanel({ open, onOpenChange }: PanelState) {
  return (
    <Panel open={open} onOpenChange={onOpenChange} title={words.title} about={words.about}>
      <Refusals />
    </Panel>
  )
}

function Refusals() {
  const query = useQuery(refusalsQuery)
  if (query.isPending) return <Skeleton label={words.what} />
  if (query.isError) return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  if (query.data.length === 0) return <Empty title={words.none}>{words.noneText}</Empty>
  return (
    <ul className="divide-y divide-line">
      {query.data.map((refusal) => (
        <li key={`${refusal.code} ${refusal.address} ${refusal.keyId} ${refusal.runtimeId}`} className="px-5 py-3">
          <RefusalEntry refusal={refusal} />
        </li>
      ))}
    </ul>
  )
}

function RefusalEntry({ refusal }: { refusal: RefusalsQuery['refusals'][number] }) {
  const { runtimeName, environment, project, integration } = refusal
  const says = [runtimeName, [project, integration].filter(Boolean).join(' / '), environment]
    .filter(Boolean)
    .join(' · ')
  return (
    <>
      <div className="nums flex items-baseline gap-2">
        <p className="min-w-0 flex-1 font-medium">
          <Said text={refusal.message} />
        </p>
        <span className="shrink-0 text-muted">
          {words.times(refusal.count)}, <Age at={refusal.at} ago />
        </span>
      </div>
      <p className="mt-0.5">
        <span className="font-medium">{words.fix}:</span> <Said text={refusal.fix} />
      </p>
      <p className="mt-1 flex flex-wrap gap-x-4 text-muted">
        <code>{refusal.code}</code>
        <span>
          {words.sender}: <code>{refusal.address ?? words.unknownSender}</code>
        </span>
        {refusal.keyId && (
          <span>
            {words.key}:{' '}
            <Link {...to.secret(refusal.keyId)} className="mono link">
              {refusal.keyId}
            </Link>
          </span>
        )}
        {says && (
          <span>
            {words.says}: {says}
          </span>
        )}
      </p>
    </>
  )
}
