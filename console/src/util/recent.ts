/** A page about one thing, that somebody looked at in this browser. */
export type Visit = { href: string; title: string }

const KEY = 'pilothouse.recent'
/** As many as one finds again at a glance. */
const KEPT = 8
/** Projects, integrations, runtimes, people, groups, roles: what has a page of its own. Traces are too many to come back to by name. */
const THING = /^\/(projects|runtimes|access\/(users|groups|roles))\/./
const LONGEST = 300

let whose = ''

/** Says who is signed in: nobody is shown what somebody else looked at on this computer. */
export function remembersFor(username: string): void {
  whose = username
}

/** The pages that were looked at last, the newest first. */
export function recent(): Visit[] {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as { of?: unknown; visits?: unknown } | null
    return kept?.of === whose && Array.isArray(kept.visits) ? kept.visits.filter(isVisit).slice(0, KEPT) : []
  } catch {
    return []
  }
}

/**
 * Remembers a page; of what is no page about one thing, nothing. The place within a page (filters, time) is not kept.
 * An early title, from before the name came, takes the place of none.
 */
export function visited(href: string, title: string, early = false): void {
  if (!THING.test(href) || href.length > LONGEST) return
  const before = recent()
  const known = early ? before.find((visit) => visit.href === href)?.title : undefined
  keep([{ href, title: known ?? title }, ...before.filter((visit) => visit.href !== href)].slice(0, KEPT))
}

/** Leaves nothing behind when the session ends. */
export function forgetVisits(): void {
  keep([])
}

function keep(visits: Visit[]): void {
  try {
    if (visits.length > 0) localStorage.setItem(KEY, JSON.stringify({ of: whose, visits }))
    else localStorage.removeItem(KEY)
  } catch {
    // Storage is forbidden: nothing is remembered.
  }
}

function isVisit(value: unknown): value is Visit {
  if (typeof value !== 'object' || value === null) return false
  const { href, title } = value as Record<string, unknown>
  return typeof href === 'string' && THING.test(href) && typeof title === 'string'
}
