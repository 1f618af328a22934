/** A page about one thing, that somebody looked at in this browser. */
export type Visit = { href: string; title: string }

const KEY = 'pilothouse.recent'
/** As many as one finds again at a glance. */
const KEPT = 8
/** Projects, integrations, runtimes, people, groups, roles: what has a page of its own. Traces are too many to come back to by name. */
const THING = /^\/(projects|runtimes|access\/(users|groups|roles))\/./
const LONGEST = 300

/** The pages that were looked at last, the newest first. */
export function recent(): Visit[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(kept) ? kept.filter(isVisit).slice(0, KEPT) : []
  } catch {
    return []
  }
}

/** Remembers a page; of what is no page about one thing, nothing. The place within a page (filters, time) is not kept. */
export function visited(href: string, title: string): void {
  if (!THING.test(href) || href.length > LONGEST) return
  const before = recent().filter((visit) => visit.href !== href)
  keep([{ href, title }, ...before].slice(0, KEPT))
}

/** Whoever signs in next on this computer is not told what somebody else looked at. */
export function forgetVisits(): void {
  keep([])
}

function keep(visits: Visit[]): void {
  try {
    if (visits.length > 0) localStorage.setItem(KEY, JSON.stringify(visits))
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
