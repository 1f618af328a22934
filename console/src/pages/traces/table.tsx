import { Link } from '@tanstack/react-router'
import { CircleX, Unlink } from 'lucide-react'
import type { TracesQuery } from '@/api/generated/telemetry'
import { traces as words } from '@/strings/traces'
import { TableBox } from '@/ui/page'
import { to } from '@/util/paths'
import { exactTime } from '@/util/time'
import { formatMs } from './axis'

export type Found = TracesQuery['traces']['nodes'][number]
type Party = NonNullable<Found['trace']>['parties'][number]
const PARTIES = 3
/** A bar that is longer than there is room for. */
const torn = { clipPath: 'polygon(0 0, 88% 0, 82% 100%, 0 100%, 0 0, 91% 0, 100% 0, 100% 100%, 85% 100%, 91% 0)' }

/** Names of those who took part, each once, in the order in which they began. */
export function namesOf(parties: readonly Pick<Party, 'service' | 'origin'>[]): string[] {
  return [
    ...new Set(parties.map(({ service, origin }) => origin.integration?.displayName ?? service ?? words.unclaimed)),
  ]
}

/** The time of the day to the millisecond, with its date where it is not today's. */
export function startTime(at: string, now: Date): string {
  const date = new Date(at)
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
  return date.toDateString() === now.toDateString()
    ? clock
    : `${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`
}

/** What a list tells of a trace; of one that could not be read whole, what its matching span tells. */
function factsOf({ span, trace }: Found) {
  return {
    at: trace?.at ?? span.at,
    root: trace?.root ?? { ...span, parentId: null },
    durationMs: trace?.durationMs ?? span.durationMs,
    spans: trace?.spanCount,
    failed: trace?.failedCount ?? Number(span.failed),
    names: namesOf(trace?.parties ?? [span]),
  }
}

/** From where on the longest is an exception that the bars are not made for. */
const OUTLIER = 4

/** What a full bar stands for: the longest; where it would leave nothing of the others, what nine of ten do not exceed. */
export function scaleOf(durations: readonly number[]): number {
  const sorted = durations.toSorted((a, b) => a - b)
  const longest = sorted.at(-1) ?? 0
  const usual = sorted[Math.ceil(sorted.length * 0.9) - 1] ?? 0
  return usual > 0 && longest > usual * OUTLIER ? usual : longest
}

/** Traces, each with its length beside the others'. */
export function TraceTable({ found }: { found: Found[] }) {
  const rows = found.map((each) => ({ each, ...factsOf(each) }))
  const full = scaleOf(rows.map(({ durationMs }) => durationMs))
  const now = new Date()
  return (
    <TableBox label={words.what}>
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{words.columns.at}</th>
            <th scope="col">{words.columns.root}</th>
            <th scope="col" className="max-sm:hidden">
              {words.columns.parties}
            </th>
            <th scope="col" className="text-right max-sm:hidden">
              {words.columns.spans}
            </th>
            <th scope="col" data-tip={words.scale(formatMs(full))}>
              {words.columns.duration}
            </th>
            <th scope="col">{words.columns.errors}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ each, at, root, durationMs, spans, failed, names }) => (
            <tr key={each.traceId}>
              <td className="mono text-muted">
                <time dateTime={at} data-tip={exactTime(at)}>
                  {startTime(at, now)}
                </time>
              </td>
              <td className="w-full max-w-0 min-w-36">
                <span className="flex items-baseline gap-2">
                  <Link {...to.trace(each.traceId)} data-row className="link min-w-0 truncate font-medium">
                    {root.name || words.unnamed}
                  </Link>
                  {root.parentId && (
                    <span
                      role="img"
                      aria-label={words.rootMissing}
                      data-tip={words.rootMissing}
                      className="self-center text-warn"
                    >
                      <Unlink size={12} aria-hidden />
                    </span>
                  )}
                  <span className="truncate text-faint max-sm:hidden">{root.service}</span>
                </span>
              </td>
              <td className="max-sm:hidden">
                {names.slice(0, PARTIES).join(' → ')}
                {names.length > PARTIES && (
                  <span className="text-faint" data-tip={names.join(' → ')}>
                    {' '}
                    {words.parties(names.length - PARTIES)}
                  </span>
                )}
              </td>
              <td className="text-right max-sm:hidden" data-tip={spans === undefined ? words.partial : undefined}>
                {spans?.toLocaleString('en') ?? '?'}
              </td>
              <td>
                <span className="flex items-center gap-2">
                  <span className="h-2 w-28 shrink-0 overflow-hidden rounded-sm bg-sunken max-sm:hidden" aria-hidden>
                    <span
                      className={`block h-full rounded-sm ${failed ? 'bg-bad' : 'bg-faint'}`}
                      style={{
                        width: `max(2px, ${Math.min(1, durationMs / Math.max(full, 1e-9)) * 100}%)`,
                        ...(durationMs > full ? torn : {}),
                      }}
                    />
                  </span>
                  {formatMs(durationMs)}
                </span>
              </td>
              <td>
                {failed ? (
                  <span className="inline-flex items-center gap-1.5 font-medium text-bad">
                    <CircleX size={13} aria-hidden />
                    {words.failedSpans(failed)}
                  </span>
                ) : (
                  <span className="text-faint">{words.noErrors}</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}
