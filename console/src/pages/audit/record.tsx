import { audit as words } from '@/strings/audit'
import { Button } from '@/ui/button'
import { CopyIconButton } from '@/ui/copy'
import { Panel } from '@/ui/dialog'
import { DiffTable } from '@/ui/diff-table'
import { Facts } from '@/ui/page'
import { Said } from '@/ui/said'
import { diffOf } from '@/util/diff'
import type { AuditSearch } from '@/util/search'
import { exactTime } from '@/util/time'
import { type AuditRow, OutcomeMark } from './index'

type RecordPanelProps = {
  number: number
  record: AuditRow | undefined
  onClose: () => void
  onNarrow: (search: AuditSearch) => void
}

/** One record with what changed, field by field. */
export function RecordPanel({ number, record, onClose, onNarrow }: RecordPanelProps) {
  return (
    <Panel open onOpenChange={(open) => !open && onClose()} title={words.record(number)} about={record?.action}>
      {record ? (
        <>
          <p className="px-3.5 pt-3">
            <Said text={record.detail} />
          </p>
          <Facts
            facts={[
              [words.facts.at, <span key="at">{exactTime(record.at)}</span>],
              [words.facts.actor, <code key="actor">{record.actor}</code>],
              [words.facts.via, record.via],
              ...(record.address
                ? [[words.facts.address, <code key="address">{record.address}</code>] as [string, React.ReactNode]]
                : []),
              [words.facts.target, <code key="target">{record.target}</code>],
              [words.facts.outcome, <OutcomeMark key="outcome" outcome={record.outcome} />],
              [
                words.facts.digest,
                <span key="digest" className="inline-flex max-w-full items-center gap-1">
                  <code className="truncate">{record.digest}</code>
                  <CopyIconButton text={record.digest} label={words.facts.digest} />
                </span>,
              ],
            ]}
          />
          <h3 className="border-t border-line px-3.5 pt-3">{words.changed}</h3>
          <DiffTable label={words.changed} changes={diffOf(record.before, record.after)} />
          <div className="flex gap-2 border-t border-line px-3.5 py-3">
            <Button small onClick={() => onNarrow({ actor: record.actor })}>
              {words.onlyActor}
            </Button>
            <Button small onClick={() => onNarrow({ action: record.action })}>
              {words.onlyAction}
            </Button>
          </div>
        </>
      ) : (
        <p className="px-3.5 py-3 text-muted">{words.notListed}</p>
      )}
    </Panel>
  )
}
