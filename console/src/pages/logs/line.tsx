import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronRight, Columns3 } from 'lucide-react'
import { useState } from 'react'
import type { LogLineRowFragment, Severity } from '@/api/generated/telemetry'
import { logs as words } from '@/strings/logs'
import { traces } from '@/strings/traces'
import { Button } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { LinkButton } from '@/ui/link-button'
import { Facts } from '@/ui/page'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { exactTime } from '@/util/time'
import { cellOf, columnName } from './columns'

const INK: Record<Severity, string> = {
  FATAL: 'text-bad font-medium',
  ERROR: 'text-bad',
  WARN: 'text-warn',
  INFO: 'text-muted',
  DEBUG: 'text-faint',
  TRACE: 'text-faint',
}

/** Local time to the millisecond; the date stands in the exact one. */
function lineTime(at: string): string {
  const date = new Date(at)
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** A line as people paste it elsewhere. */
export function plainText({ at, level, logger, message, attributes }: LogLineRowFragment): string {
  const rest = attributes.map(({ key, value }) => ` ${key}=${/[\s"=]/.test(value) ? JSON.stringify(value) : value}`)
  return `${at} ${level}${logger ? ` ${logger}` : ''} ${message}${rest.join('')}`
}

type LineProps = {
  line: LogLineRowFragment
  onTrace: (traceId: string) => void
  onContext?: ((line: LogLineRowFragment) => void) | undefined
  marked?: boolean
  /** Where all lines come from one place, it is not told beside each. */
  withoutOrigin?: boolean
  /** What stands beside the message. */
  columns?: readonly string[]
  /** Puts an attribute there, or takes it away. */
  onColumn?: ((name: string) => void) | undefined
}

/** As wide as the cells of the lines below it. */
export const COLUMN = 'mono hidden w-36 shrink-0 truncate md:inline xl:w-44'

/** Names the columns above the lines. */
export function LineHead({ columns }: { columns: readonly string[] }) {
  return (
    <div className="hidden items-baseline gap-2 border-b border-line py-1 pl-[30px] pr-2.5 text-[12px] text-muted md:flex">
      <span className="mono w-[12ch] shrink-0">{words.columns.at}</span>
      <span className="mono w-11 shrink-0">{words.columns.level}</span>
      {columns.map((name) => (
        <span key={name} className={COLUMN} data-tip={name}>
          {columnName(name)}
        </span>
      ))}
      <span className="min-w-0 flex-1">{words.columns.message}</span>
    </div>
  )
}

/** One line; opened it tells everything that it holds. */
export function LogLine({
  line,
  onTrace,
  onContext,
  marked = false,
  withoutOrigin = false,
  columns = [],
  onColumn,
}: LineProps) {
  const [open, setOpen] = useState(false)
  const { at, level, message, origin } = line
  const Chevron = open ? ChevronDown : ChevronRight
  return (
    <li className={`border-b border-line last:border-b-0 ${marked ? 'bg-fresh' : ''}`}>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex w-full items-baseline gap-2 px-2.5 py-1 text-left hover:bg-hover"
      >
        <Chevron size={12} className="shrink-0 self-center text-faint" aria-hidden />
        <time dateTime={at} data-tip={exactTime(at)} className="mono nums shrink-0 text-faint">
          {lineTime(at)}
        </time>
        <span className={`mono w-11 shrink-0 ${INK[level]}`}>{level}</span>
        {columns.map((name) => {
          const cell = cellOf(line, name)
          return (
            <span key={name} className={`${COLUMN} ${cell === undefined ? 'text-faint' : ''}`} data-tip={cell}>
              {cell ?? '–'}
            </span>
          )
        })}
        <span
          className={`mono min-w-0 flex-1 min-[1800px]:order-2 ${open ? 'whitespace-pre-wrap break-words' : 'truncate'}`}
        >
          {message}
        </span>
        {!withoutOrigin && (
          <span className="hidden max-w-64 shrink-0 truncate text-faint lg:inline min-[1800px]:order-1 min-[1800px]:w-64">
            {origin.integration?.displayName ?? origin.runtimeId ?? words.unclaimed}
            {origin.environment && ` · ${origin.environment.displayName}`}
          </span>
        )}
      </button>
      {open && <Opened line={line} onTrace={onTrace} onContext={onContext} columns={columns} onColumn={onColumn} />}
    </li>
  )
}

function Opened({ line, onTrace, onContext, columns = [], onColumn }: Omit<LineProps, 'marked' | 'withoutOrigin'>) {
  const { at, logger, traceId, spanId, attributes, origin } = line
  const noTraces = useBlocked()('OBSERVABILITY_MGT_VIEW_INSIGHTS')
  const { project, integration, environment, runtime, runtimeId } = origin
  const facts: [string, React.ReactNode][] = [[words.facts.at, exactTime(at)]]
  if (logger) facts.push([words.facts.logger, <code key="logger">{logger}</code>])
  if (integration && project)
    facts.push([
      words.facts.integration,
      <Link key="integration" {...to.integration(project.handle, integration.handle)} className="link">
        {project.displayName} / {integration.displayName}
      </Link>,
    ])
  if (environment) facts.push([words.facts.environment, environment.displayName])
  if (runtimeId)
    facts.push([
      words.facts.runtime,
      runtime ? (
        <Link key="runtime" {...to.runtime(runtime.id)} className="mono link">
          {runtime.name ?? runtimeId}
        </Link>
      ) : (
        <code key="runtime">{runtimeId}</code>
      ),
    ])
  if (traceId) facts.push([words.facts.trace, <code key="trace">{traceId}</code>])
  if (spanId) facts.push([words.facts.span, <code key="span">{spanId}</code>])
  return (
    <div className="border-t border-line bg-sunken pb-2">
      <Facts
        facts={[
          ...facts,
          ...attributes.map(({ key, value }): [string, React.ReactNode] => [
            key,
            <span key={key} className="inline-flex max-w-full items-start gap-1.5">
              <code className="min-w-0 whitespace-pre-wrap break-words">{value}</code>
              {onColumn && <ColumnButton name={key} chosen={columns.includes(key)} onColumn={onColumn} />}
            </span>,
          ]),
        ]}
      />
      <div className="flex flex-wrap gap-2 px-3.5">
        <CopyButton text={plainText(line)} label={words.copyLine} />
        {traceId && (
          <Button small onClick={() => onTrace(traceId)}>
            {words.sameTrace}
          </Button>
        )}
        {traceId && (
          <LinkButton small link={to.trace(traceId, spanId ? { selected: spanId } : {})} blocked={noTraces}>
            {traces.toTrace}
          </LinkButton>
        )}
        {onContext && (
          <Button small onClick={() => onContext(line)}>
            {words.context}
          </Button>
        )}
      </div>
    </div>
  )
}

type ColumnButtonProps = { name: string; chosen: boolean; onColumn: (name: string) => void }

function ColumnButton({ name, chosen, onColumn }: ColumnButtonProps) {
  const label = chosen ? words.noColumn(name) : words.asColumn(name)
  return (
    <button
      type="button"
      aria-label={label}
      data-tip={label}
      onClick={() => onColumn(name)}
      className={`grid size-5 shrink-0 place-items-center rounded hover:bg-hover hover:text-ink ${chosen ? 'text-ink' : 'text-faint'}`}
    >
      <Columns3 size={12} aria-hidden />
    </button>
  )
}
