import { Link } from '@tanstack/react-router'
import { ChevronDown, ChevronRight } from 'lucide-react'
import { useState } from 'react'
import type { LogLineRowFragment, Severity } from '@/api/generated/telemetry'
import { logs as words } from '@/strings/logs'
import { traces } from '@/strings/traces'
import { Button, buttonClass } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { Facts } from '@/ui/page'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { exactTime } from '@/util/time'

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
}

/** One line; opened it tells everything that it holds. */
export function LogLine({ line, onTrace, onContext, marked = false }: LineProps) {
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
        <span className={`mono min-w-0 flex-1 ${open ? 'whitespace-pre-wrap break-words' : 'truncate'}`}>
          {message}
        </span>
        <span className="hidden max-w-64 shrink-0 truncate text-faint lg:inline">
          {origin.integration?.displayName ?? origin.runtimeId ?? words.unclaimed}
          {origin.environment && ` · ${origin.environment.displayName}`}
        </span>
      </button>
      {open && <Opened line={line} onTrace={onTrace} onContext={onContext} />}
    </li>
  )
}

function Opened({ line, onTrace, onContext }: Omit<LineProps, 'marked'>) {
  const { at, logger, traceId, spanId, attributes, origin } = line
  const seesTraces = !useBlocked()('OBSERVABILITY_MGT_VIEW_INSIGHTS')
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
            <code key={key} className="whitespace-pre-wrap break-words">
              {value}
            </code>,
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
        {traceId && seesTraces && (
          <Link {...to.trace(traceId, spanId ? { selected: spanId } : {})} className={buttonClass('plain', true)}>
            {traces.toTrace}
          </Link>
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
