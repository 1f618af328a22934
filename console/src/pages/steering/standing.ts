import type { CommandRowFragment, SteerableFactsFragment } from '@/api/generated/operations'

export type Command = CommandRowFragment
export type AspectFacts = SteerableFactsFragment['aspects'][number]
export type Target = Pick<SteerableFactsFragment, 'kind' | 'name' | 'package'> & Pick<AspectFacts, 'aspect'>

/** How the commands of one wish stand: the newest of each runtime, the failed ones first. */
export type Standing = { failed: Command[]; open: Command[]; confirmed: Command[] }

export const isOpen = ({ state }: Pick<Command, 'state'>) => state === 'QUEUED' || state === 'DELIVERED'
const isFailed = ({ state }: Command) => state === 'FAILED' || state === 'EXPIRED'

export function isOf(target: Target, command: Command): boolean {
  return (
    command.kind === target.kind &&
    command.name === target.name &&
    command.package === target.package &&
    command.aspect === target.aspect
  )
}

/**
 * Joins what the list says (open and lately failed commands) with what the line told since the page opened: a
 * confirmed command leaves the list, and only who saw it happen knows when it was confirmed.
 */
export function standingOf(listed: Command[], seen: Iterable<Command>): Standing {
  const known = new Map(listed.map((command) => [command.id, command]))
  for (const command of seen) {
    const before = known.get(command.id)
    if (!before || isOpen(before)) known.set(command.id, command)
  }
  const newest = new Map<string, Command>()
  for (const command of known.values()) {
    const other = newest.get(command.runtime.id)
    if (!other || isNewer(command, other)) newest.set(command.runtime.id, command)
  }
  const all = [...newest.values()].sort((a, b) => (a.queuedAt < b.queuedAt ? 1 : -1))
  return {
    failed: all.filter(isFailed),
    open: all.filter(isOpen),
    confirmed: all.filter(({ state }) => state === 'CONFIRMED'),
  }
}

/** What was superseded was so by something newer, whatever the clock's last digit says. */
function isNewer(a: Command, b: Command): boolean {
  if (a.queuedAt !== b.queuedAt) return a.queuedAt > b.queuedAt
  return b.state === 'SUPERSEDED'
}

/** Where a switch stands: `mixed` when runtimes differ, are between states, or nobody tells. */
export function switchedTo(observed: Pick<AspectFacts['observed'][number], 'value'>[]): 'on' | 'off' | 'mixed' {
  const [only] = observed
  if (observed.length !== 1 || !only) return 'mixed'
  if (only.value === 'ENABLED') return 'on'
  return only.value === 'DISABLED' || only.value === 'GATED' ? 'off' : 'mixed'
}

/** What pressing the switch asks for. While a wish is on its way pressing takes that back. */
export function pressedFor(stands: 'on' | 'off', desired: string | undefined, open: number): 'ENABLED' | 'DISABLED' {
  const from = desired !== undefined && open > 0 ? desired === 'ENABLED' : stands === 'on'
  return from ? 'DISABLED' : 'ENABLED'
}

/** The level that all running runtimes report; undefined when they differ or do not tell. */
export function levelOf(observed: Pick<AspectFacts['observed'][number], 'value'>[]): string | undefined {
  const [only] = observed
  return observed.length === 1 && only?.value !== 'UNKNOWN' ? only?.value : undefined
}

/** After this long without a host a wish is called an orphan. */
const ORPHAN_AFTER_MS = 7 * 86_400_000

export function isOrphan(absentSince: string | null, now: number): boolean {
  return absentSince !== null && now - Date.parse(absentSince) > ORPHAN_AFTER_MS
}
