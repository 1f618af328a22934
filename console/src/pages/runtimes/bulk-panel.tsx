import { Link } from '@tanstack/react-router'
import { Ban, CircleCheck, CircleX, Clock, LoaderCircle } from 'lucide-react'
import { bulk } from '@/strings/bulk'
import { Button } from '@/ui/button'
import { CommandMark } from '@/ui/command'
import { Panel } from '@/ui/dialog'
import { Said } from '@/ui/said'
import { to } from '@/util/paths'
import { type BulkRun, isBad, type Line } from './bulk-run'
import { useProgress } from './use-bulk'

const words = bulk.progress

/** Failures first: they ask for something. */
const RANK = (line: Line) => (isBad(line) ? 0 : 1)

/** Each thing that was asked of many, how it stands, and a way to try again what failed. */
export function BulkPanel({ run, onClose }: { run: BulkRun; onClose: () => void }) {
  const { title, lines, ended, bad, over } = useProgress(run)
  const again = lines.filter((line) => isBad(line) && line.retryable).length
  const waiting = lines.some((line) => line.state === 'WAITING')
  return (
    <Panel open onOpenChange={(open) => !open && onClose()} title={title} about={words.about}>
      <div className="px-5 py-3">
        <div className="mb-2 flex flex-wrap items-center gap-2">
          <span className="nums">{words.counts(ended, lines.length, bad)}</span>
          <progress
            aria-label={title}
            value={ended}
            max={lines.length}
            className="h-1.5 min-w-24 flex-1 accent-solid"
          />
          {waiting && (
            <Button small onClick={() => run.stop()}>
              {words.stop}
            </Button>
          )}
          {over && again > 1 && (
            <Button small onClick={() => run.againAll()}>
              {words.againAll(again)}
            </Button>
          )}
        </div>
        <ol className="divide-y divide-line">
          {lines
            .toSorted((a, b) => RANK(a) - RANK(b))
            .map((line) => (
              <Entry key={line.key} line={line} onAgain={() => void run.again(line.key)} />
            ))}
        </ol>
      </div>
    </Panel>
  )
}

function Entry({ line, onAgain }: { line: Line; onAgain: () => void }) {
  const { label, runtime, reason, retryable } = line
  return (
    <li className="py-1.5">
      <div className="flex flex-wrap items-center gap-x-2.5">
        <Mark state={line.state} />
        {runtime === undefined ? (
          <code>{label}</code>
        ) : (
          <Link {...to.runtime(runtime)} className="mono link">
            {label}
          </Link>
        )}
        {isBad(line) && retryable && (
          <Button small aria-label={words.againLabel(label)} onClick={onAgain}>
            {words.again}
          </Button>
        )}
      </div>
      <p className={isBad(line) ? 'text-ink' : 'text-[12px] text-muted'}>
        <Said text={reason} />
      </p>
    </li>
  )
}

const looks = {
  WAITING: { icon: Clock, tone: 'text-faint' },
  SENDING: { icon: LoaderCircle, tone: 'text-link' },
  REFUSED: { icon: CircleX, tone: 'text-bad' },
  DONE: { icon: CircleCheck, tone: 'text-ok' },
  STOPPED: { icon: Ban, tone: 'text-muted' },
} as const

function Mark({ state }: { state: Line['state'] }) {
  if (!(state in looks)) return <CommandMark state={state as Exclude<Line['state'], keyof typeof looks>} />
  const own = state as keyof typeof looks
  const { icon: Icon, tone } = looks[own]
  return (
    <span className={`inline-flex items-center gap-1 whitespace-nowrap font-medium ${tone}`}>
      <Icon size={13} aria-hidden />
      {words.states[own]}
    </span>
  )
}
