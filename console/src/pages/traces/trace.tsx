import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { CircleCheck, CircleX, RotateCw, SearchX, TriangleAlert } from 'lucide-react'
import { type ReactNode, useMemo, useState } from 'react'
import { TraceDocument } from '@/api/generated/telemetry'
import { traceQuery } from '@/api/trace-queries'
import { strings } from '@/strings/common'
import { traces as words } from '@/strings/traces'
import { useAnnounced } from '@/ui/announcer'
import { Button, buttonClass } from '@/ui/button'
import { CopyButton, CopyGraphql, CopyIconButton } from '@/ui/copy'
import { PageHead } from '@/ui/page'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { TraceSearch } from '@/util/search'
import { exactTime } from '@/util/time'
import { useSearchState } from '@/util/use-search-state'
import { formatMs } from './axis'
import { around } from './filter'
import { SpanSheet } from './span-sheet'
import { namesOf } from './table'
import { type Doubts, doubtsOf, type Row, type Trace, treeOf } from './tree'
import { Waterfall } from './waterfall'

/** One request and all that it led to. */
export function TracePage() {
  const { traceId } = useParams({ from: `/shell${PATH.trace}` })
  const query = useQuery(traceQuery(traceId))
  if (query.data) return <Whole trace={query.data} onAgain={() => query.refetch()} />
  if (query.isPending || query.isError)
    return (
      <>
        <PageHead title={words.one.title} note={<code>{traceId}</code>} />
        <div className="rounded-lg border border-line bg-surface">
          {query.isPending ? (
            <Skeleton label={words.one.what} rows={10} />
          ) : (
            <CouldNotLoad what={words.one.what} error={query.error} onRetry={() => query.refetch()} />
          )}
        </div>
      </>
    )
  return <Nothing traceId={traceId} onAgain={() => query.refetch()} />
}

function Nothing({ traceId, onAgain }: { traceId: string; onAgain: () => void }) {
  useAnnounced(words.one.missing)
  const readsLogs = !useBlocked()('OBSERVABILITY_MGT_VIEW_LOGS')
  return (
    <div className="mx-auto max-w-lg px-4 py-20">
      <title>{strings.title(words.one.missing)}</title>
      <SearchX size={22} className="mb-3 text-faint" aria-hidden />
      <h1 className="text-[18px]">{words.one.missing}</h1>
      <p className="mt-1">
        <code className="break-all text-muted">{traceId}</code>
      </p>
      <p className="mt-1 text-muted">{words.one.missingText}</p>
      <div className="mt-4 flex flex-wrap gap-2">
        <Button look="solid" onClick={onAgain}>
          <RotateCw size={14} aria-hidden />
          {words.filters.again}
        </Button>
        {readsLogs && (
          <Link {...to.logs({ trace: traceId, span: '30d' })} className={buttonClass()}>
            {words.one.logs}
          </Link>
        )}
        <Link {...to.traces()} className={buttonClass()}>
          {words.one.all}
        </Link>
      </div>
    </div>
  )
}

function Whole({ trace, onAgain }: { trace: Trace; onAgain: () => void }) {
  const search: TraceSearch = useSearch({ strict: false })
  const change = useSearchState<TraceSearch>()
  const readsLogs = !useBlocked()('OBSERVABILITY_MGT_VIEW_LOGS')
  const rows = useMemo(() => treeOf(trace.spans), [trace])
  const doubts = useMemo(() => doubtsOf(rows), [rows])
  const origins = rows.filter(({ origin }) => origin)
  const [sought, setSought] = useState<{ row: Row; turn: number }>()
  const chosen = search.selected ? rows.find(({ span }) => span.id === search.selected) : undefined
  const seek = () => {
    const turn = (sought?.turn ?? -1) + 1
    const row = origins[turn % origins.length]
    if (row) setSought({ row, turn })
  }
  const { root } = trace
  return (
    <>
      <PageHead
        title={root.name || words.unnamed}
        note={<span className="break-all">{root.service}</span>}
        actions={
          <>
            <CopyGraphql document={TraceDocument} variables={{ id: trace.id }} />
            <CopyButton look="quiet" text={words.one.cli(trace.id)} label={strings.copyCli} />
            <Button onClick={onAgain} aria-label={words.filters.again}>
              <RotateCw size={14} aria-hidden />
            </Button>
            {readsLogs && (
              <Link {...to.logs({ trace: trace.id, ...around(trace.at, trace.durationMs) })} className={buttonClass()}>
                {words.one.logs}
              </Link>
            )}
            <Link {...to.traces()} className={buttonClass()}>
              {words.one.all}
            </Link>
          </>
        }
      />
      <Summary trace={trace} />
      <Notes trace={trace} doubts={doubts} />
      <Waterfall
        rows={rows}
        durationMs={trace.durationMs}
        chosen={chosen}
        sought={sought}
        onOpen={({ span }) => change({ selected: span.id })}
        actions={
          origins.length > 0 && (
            <Button small onClick={seek}>
              <CircleX size={12} className="text-bad" aria-hidden />
              {words.one.firstFailure}
            </Button>
          )
        }
      />
      {search.selected && (
        <SpanSheet trace={trace} row={chosen} onClose={() => change({ selected: undefined })} readsLogs={readsLogs} />
      )}
    </>
  )
}

function Summary({ trace }: { trace: Trace }) {
  const { one } = words
  return (
    <dl className="mb-3 flex flex-wrap gap-x-8 gap-y-2 rounded-lg border border-line bg-surface px-3.5 py-2.5">
      <Fact name={one.began}>{exactTime(trace.at)}</Fact>
      <Fact name={one.took}>
        <span className="font-medium">{formatMs(trace.durationMs)}</span>
      </Fact>
      <Fact name={words.columns.spans}>{one.size(trace.spanCount, trace.parties.length)}</Fact>
      <Fact name={words.columns.parties}>{namesOf(trace.parties).join(' → ')}</Fact>
      <Fact name={words.columns.errors}>
        {trace.failedCount > 0 ? (
          <span className="inline-flex items-center gap-1.5 font-medium text-bad">
            <CircleX size={13} aria-hidden />
            {one.failed(trace.failedCount)}
          </span>
        ) : (
          <span className="inline-flex items-center gap-1.5 text-ok">
            <CircleCheck size={13} aria-hidden />
            {one.succeeded}
          </span>
        )}
      </Fact>
      <Fact name={one.title}>
        <span className="inline-flex min-w-0 items-center gap-1">
          <code className="break-all text-muted">{trace.id}</code>
          <CopyIconButton text={trace.id} label={one.copyId} />
        </span>
      </Fact>
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-[11.5px] text-faint">{name}</dt>
      <dd className="nums min-w-0 break-words">{children}</dd>
    </div>
  )
}

/** What keeps the drawing from being the whole truth. */
function Notes({ trace, doubts }: { trace: Trace; doubts: Doubts }) {
  const { one } = words
  const notes = [
    trace.left > 0 && one.left(trace.left),
    doubts.orphans > 0 ? one.orphans(doubts.orphans) : !trace.complete && one.incomplete,
    doubts.skewed > 0 && one.skew(doubts.skewed, formatMs(doubts.aheadMsMax)),
    doubts.loops > 0 && one.loops(doubts.loops),
  ].filter((note) => note !== false)
  if (notes.length === 0) return null
  return (
    <ul className="mb-3 space-y-1 rounded-lg bg-warn-soft px-3.5 py-2 text-warn">
      {notes.map((note) => (
        <li key={note} className="flex items-start gap-2">
          <TriangleAlert size={14} className="mt-0.5 shrink-0" aria-hidden />
          {note}
        </li>
      ))}
    </ul>
  )
}
