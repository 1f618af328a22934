import { Link } from '@tanstack/react-router'
import type { ArtifactState, RuntimeLabelFragment } from '@/api/generated/operations'
import { stateNames } from '@/strings/common'
import { valueName, steering as words } from '@/strings/steering'
import { Said } from '@/ui/said'
import { State } from '@/ui/status'
import { to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import type { AspectFacts } from './standing'

const NAMED = 4
/** Of what most report no names are needed, where these would be more than so many: who differs is what one looks for. */
const NAMED_OF_MOST = 2

/** What running runtimes report; where they differ, which runtime says what. */
export function Observed({ observed }: { observed: AspectFacts['observed'] }) {
  if (observed.length === 0) return <p className="text-faint">{words.notHosted}</p>
  const agree = observed.length === 1
  const most = Math.max(...observed.map(({ runtimeCount }) => runtimeCount))
  const usual = most > NAMED_OF_MOST ? observed.find(({ runtimeCount }) => runtimeCount === most) : undefined
  return (
    <ul className="min-w-0">
      {observed.map(({ value, reason, runtimes, runtimeCount }) => (
        <li key={value}>
          <span className="flex flex-wrap items-center gap-x-1.5">
            {value in stateNames ? (
              <State state={value as ArtifactState} unheard={false} />
            ) : (
              <code>{valueName(value)}</code>
            )}
            {agree ? (
              <span className="text-faint">{words.onAll(runtimeCount)}</span>
            ) : value === usual?.value ? (
              <span className="nums text-muted">{words.onSome(runtimeCount)}</span>
            ) : (
              <span className="text-muted">
                {words.on} <RuntimeNames runtimes={runtimes} count={runtimeCount} />
              </span>
            )}
          </span>
          {reason && (
            <span className="block text-[12px] text-muted">
              <Said text={reason} />
            </span>
          )}
        </li>
      ))}
    </ul>
  )
}

type RuntimeNamesProps = {
  runtimes: RuntimeLabelFragment[]
  /** How many there are; `runtimes` need not be all of them. */
  count: number
}

/** Runtimes by name, linked; the first of them when there are many. */
export function RuntimeNames({ runtimes, count }: RuntimeNamesProps) {
  const named = runtimes.slice(0, NAMED)
  const rest = count - named.length
  return (
    <>
      {named.map((runtime, index) => (
        <span key={runtime.id}>
          {index > 0 && ', '}
          <Link {...to.runtime(runtime.id)} className="mono link">
            {runtimeLabel(runtime)}
          </Link>
        </span>
      ))}
      {rest > 0 && <span className="nums"> {words.and(rest)}</span>}
    </>
  )
}
