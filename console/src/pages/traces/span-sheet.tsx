import { Link } from '@tanstack/react-router'
import { CircleX, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { strings } from '@/strings/common'
import { traces as words } from '@/strings/traces'
import { buttonClass } from '@/ui/button'
import { CopyIconButton } from '@/ui/copy'
import { Panel } from '@/ui/dialog'
import { Facts } from '@/ui/page'
import { to } from '@/util/paths'
import { exactTime } from '@/util/time'
import { formatMs } from './axis'
import { around } from './filter'
import type { Row, Span, Trace } from './tree'

const said = words.span
const EXCEPTION = { type: 'exception.type', message: 'exception.message', stack: 'exception.stacktrace' } as const
const OF_EXCEPTION: string[] = [...Object.values(EXCEPTION), 'exception.escaped']

type SheetProps = { trace: Trace; row: Row | undefined; onClose: () => void; readsLogs: boolean }

/** All that a span told, beside the waterfall. */
export function SpanSheet({ trace, row, onClose, readsLogs }: SheetProps) {
  const span = row?.span
  return (
    <Panel
      open
      onOpenChange={(open) => !open && onClose()}
      title={span ? span.name || words.unnamed : words.one.title}
      about={span ? said.kinds[span.kind] : said.missing}
    >
      {row && span && (
        <>
          <Doubted row={row} />
          <Facts facts={factsOf(trace, row)} />
          <Exception span={span} />
          <Attributes span={span} />
          {readsLogs && (
            <div className="flex flex-wrap gap-2 px-3.5 pb-4 pt-1">
              <Link {...to.logs({ trace: trace.id, ...around(trace.at, trace.durationMs) })} className={buttonClass()}>
                {said.logs}
              </Link>
              {span.origin.runtimeId && (
                <Link
                  {...to.logs({ runtime: span.origin.runtimeId, ...around(span.at, span.durationMs) })}
                  className={buttonClass()}
                >
                  {said.spanLogs}
                </Link>
              )}
            </div>
          )}
        </>
      )}
    </Panel>
  )
}

function factsOf(trace: Trace, { span, origin: began, parent }: Row): [string, ReactNode][] {
  const { project, integration, environment, runtime, runtimeId } = span.origin
  const facts: [string, ReactNode][] = [
    [
      said.status,
      span.failed ? (
        <span key="status" className="inline-flex items-start gap-1.5 font-medium text-bad">
          <CircleX size={13} className="mt-0.5 shrink-0" aria-hidden />
          {began ? said.origin : said.failed}
        </span>
      ) : (
        said.ok
      ),
    ],
    [said.took, `${formatMs(span.durationMs)}${shareOf(span, trace)}`],
    [said.at, `${said.after(formatMs(span.offsetMs ?? 0))} · ${exactTime(span.at)}`],
  ]
  if (span.service) facts.push([said.service, span.service])
  if (integration && project)
    facts.push([
      said.integration,
      <Link key="integration" {...to.integration(project.handle, integration.handle)} className="link">
        {project.displayName} / {integration.displayName}
      </Link>,
    ])
  if (environment) facts.push([said.environment, environment.displayName])
  if (runtimeId)
    facts.push([
      said.runtime,
      runtime ? (
        <Link key="runtime" {...to.runtime(runtime.id)} className="mono link">
          {runtime.name ?? runtimeId}
        </Link>
      ) : (
        <code key="runtime">{runtimeId}</code>
      ),
    ])
  if (parent)
    facts.push([
      said.parent,
      <Link key="parent" {...to.trace(trace.id, { selected: parent.span.id })} className="link">
        {parent.span.name || words.unnamed}
      </Link>,
    ])
  facts.push([
    said.id,
    <span key="id" className="inline-flex items-center gap-1">
      <code>{span.id}</code>
      <CopyIconButton text={span.id} label={strings.copyWhat(said.id)} />
    </span>,
  ])
  return facts
}

function shareOf(span: Span, trace: Trace): string {
  if (!(trace.durationMs > 0)) return ''
  const percent = (span.durationMs / trace.durationMs) * 100
  return ` · ${said.share(`${percent < 1 ? '< 1' : Math.round(percent)} %`)}`
}

function Doubted({ row: { doubts, aheadMs } }: { row: Row }) {
  if (doubts.length === 0) return null
  return (
    <ul className="mx-3.5 mt-3 space-y-1 rounded-md bg-warn-soft px-3 py-2 text-warn">
      {doubts.map((doubt) => (
        <li key={doubt} className="flex items-start gap-2">
          <TriangleAlert size={13} className="mt-0.5 shrink-0" aria-hidden />
          {doubt === 'skew' ? said.skew(formatMs(aheadMs)) : said[doubt]}
        </li>
      ))}
    </ul>
  )
}

function Exception({ span }: { span: Span }) {
  const of = (key: string) => span.attributes.find((each) => each.key === key)?.value
  const [type, message, stack] = [of(EXCEPTION.type), of(EXCEPTION.message), of(EXCEPTION.stack)]
  if (!type && !message && !stack) return null
  return (
    <section aria-label={said.exception} className="mx-3.5 mb-2 overflow-hidden rounded-md border border-line">
      <h3 className="flex items-baseline gap-2 bg-bad-soft px-3 py-1.5 text-bad">
        <CircleX size={13} className="shrink-0 self-center" aria-hidden />
        <span className="min-w-0 break-words">{type ?? said.exception}</span>
      </h3>
      {message && <p className="break-words px-3 py-1.5">{message}</p>}
      {stack && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <pre className="mono max-h-72 overflow-auto border-t border-line bg-sunken px-3 py-2 text-[12px]" tabIndex={0}>
          {stack}
        </pre>
      )}
    </section>
  )
}

function Attributes({ span }: { span: Span }) {
  const told = span.attributes.filter(({ key }) => !OF_EXCEPTION.includes(key))
  return (
    <section aria-label={said.attributes} className="px-3.5 pb-2">
      <h3 className="mb-1 text-[12.5px]">{said.attributes}</h3>
      {told.length === 0 ? (
        <p className="text-muted">{said.noAttributes}</p>
      ) : (
        <dl className="divide-y divide-line rounded-md border border-line">
          {told.map(({ key, value }) => (
            <div key={key} className="px-3 py-1">
              <dt className="mono break-words text-muted">{key}</dt>
              <dd className="mono whitespace-pre-wrap break-words">{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}
