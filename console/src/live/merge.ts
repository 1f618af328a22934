import type {
  BeatFragment,
  RuntimeFilter,
  RuntimeRowFragment,
  RuntimeSort,
  RuntimesQuery,
} from '@/api/generated/operations'
import type { RuntimeChange } from './subscription'

export type RuntimePage = RuntimesQuery['runtimes']
export type RuntimePages = { pages: RuntimePage[]; pageParams: unknown[] }

/** Whether a runtime belongs to a list. */
export function matches(filter: RuntimeFilter, runtime: RuntimeRowFragment): boolean {
  return (
    (!filter.environment || runtime.environment.handle === filter.environment) &&
    (!filter.project || runtime.project.handle === filter.project) &&
    (!filter.integration || runtime.integration.handle === filter.integration) &&
    (!filter.type || runtime.type === filter.type) &&
    (!filter.statuses?.length || filter.statuses.includes(runtime.status)) &&
    (!filter.search || found(filter.search, runtime)) &&
    (!filter.secretKeyId || runtime.secretKeyId === filter.secretKeyId)
  )
}

/** As the server searches: name, identity and host name. */
function found(search: string, { name, runtimeId, node }: RuntimeRowFragment): boolean {
  return [name, runtimeId, node.hostname].join(' ').toLowerCase().includes(search.toLowerCase())
}

/** A list as the server makes it. */
export type RuntimeList = { filter: RuntimeFilter; sort: RuntimeSort }

/** The server's order: by name, then by id, those without a name last; or by when they registered. */
export function order(a: RuntimeRowFragment, b: RuntimeRowFragment, sort: RuntimeSort = 'NAME'): number {
  if (sort === 'NAME') return compare(nameOf(a), nameOf(b)) || compare(a.id, b.id)
  const oldest = compare(a.registeredAt, b.registeredAt) || compare(a.id, b.id)
  return sort === 'OLDEST' ? oldest : -oldest
}

const nameOf = ({ name }: RuntimeRowFragment) => name?.toLowerCase() ?? '\uffff'

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export type Merged = {
  pages: RuntimePages
  /** New to the list; the page decides when they may appear. */
  arrived: RuntimeRowFragment[]
  /** No longer of the list, and still in it because rows were to stay. */
  left: string[]
}

/**
 * Applies changes to the pages of one list, all of them in one pass: a known row changes where it stands, one that is gone
 * leaves (or stays, with `keep`), and one that is new is only reported. What lies behind the last loaded page comes with its
 * page; a runtime there that merely changed is no news.
 */
export function applyChanges(
  pages: RuntimePages,
  { filter, sort }: RuntimeList,
  changes: Iterable<RuntimeChange>,
  keep = false,
): Merged {
  const latest = latestOf(changes)
  const left: string[] = []
  let gone = 0
  const replaced = pages.pages.map((page) => {
    if (!page.nodes.some((node) => latest.has(node.id))) return page
    const nodes = page.nodes.flatMap((node) => {
      const change = latest.get(node.id)
      if (!change) return [node]
      latest.delete(node.id)
      const { runtime } = change
      if (runtime && matches(filter, runtime)) return [runtime]
      if (!keep) gone += 1
      else left.push(node.id)
      return keep ? [runtime ?? node] : []
    })
    return { ...page, nodes }
  })
  const arrived: RuntimeRowFragment[] = []
  let behind = 0
  for (const { runtime, kind } of latest.values()) {
    if (!runtime || !matches(filter, runtime)) continue
    if (!isBehind(pages, runtime, sort)) arrived.push(runtime)
    else if (kind === 'REGISTERED') behind += 1
  }
  const counted =
    behind === gone ? replaced : replaced.map((page) => ({ ...page, totalCount: page.totalCount + behind - gone }))
  const isSame = counted.every((page, index) => page === pages.pages[index])
  return { pages: isSame ? pages : { ...pages, pages: counted }, arrived, left }
}

/** The last change of each runtime that says how it is now; wishes and those that tell of no runtime say nothing. */
function latestOf(changes: Iterable<RuntimeChange>): Map<string, RuntimeChange> {
  const latest = new Map<string, RuntimeChange>()
  for (const change of changes) {
    const { runtime, runtimeKey, kind } = change
    if (!runtimeKey || (runtime === null && kind !== 'RETIRED' && kind !== 'REMOVED')) continue
    // A registration is still one when more was told of it since.
    const isNew = latest.get(runtimeKey)?.kind === 'REGISTERED' && runtime !== null
    latest.set(runtimeKey, isNew ? { ...change, kind: 'REGISTERED' } : change)
  }
  return latest
}

/** Whether a row belongs behind everything that is loaded. */
function isBehind({ pages }: RuntimePages, row: RuntimeRowFragment, sort: RuntimeSort): boolean {
  const last = pages.at(-1)
  const end = last?.nodes.at(-1)
  return Boolean(last?.pageInfo.hasNextPage && end && order(row, end, sort) > 0)
}

/** Puts rows that arrived where the server's order has them, each once. */
export function insertRows(pages: RuntimePages, rows: RuntimeRowFragment[], sort: RuntimeSort = 'NAME'): RuntimePages {
  const last = pages.pages.length - 1
  const known = new Set(pages.pages.flatMap((page) => page.nodes.map((node) => node.id)))
  const homes = new Map<number, RuntimeRowFragment[]>()
  let count = 0
  for (const row of rows) {
    if (last < 0 || known.has(row.id)) continue
    known.add(row.id)
    count += 1
    if (isBehind(pages, row, sort)) continue
    const home = pages.pages.findIndex((page, index) => {
      const end = page.nodes.at(-1)
      return index === last || (end !== undefined && order(row, end, sort) < 0)
    })
    homes.set(home, [...(homes.get(home) ?? []), row])
  }
  if (count === 0) return pages
  return {
    ...pages,
    pages: pages.pages.map((page, index) => {
      const fresh = homes.get(index)
      const nodes = fresh ? [...page.nodes, ...fresh].sort((a, b) => order(a, b, sort)) : page.nodes
      return { ...page, totalCount: page.totalCount + count, nodes }
    }),
  }
}

/** Lets rows go that stayed although they no longer belong to the list. */
export function removeRows(pages: RuntimePages, ids: ReadonlySet<string>): RuntimePages {
  let gone = 0
  const rest = pages.pages.map((page) => {
    const nodes = page.nodes.filter((node) => !ids.has(node.id))
    gone += page.nodes.length - nodes.length
    return nodes.length === page.nodes.length ? page : { ...page, nodes }
  })
  if (gone === 0) return pages
  return { ...pages, pages: rest.map((page) => ({ ...page, totalCount: page.totalCount - gone })) }
}

/** Takes over the instants of the last heartbeats and the channels; rows and pages that did not change stay the same objects. */
export function applyHeartbeats(pages: RuntimePages, beats: ReadonlyMap<string, BeatFragment>): RuntimePages {
  const renew = (node: RuntimeRowFragment): RuntimeRowFragment => {
    const beat = beats.get(node.id)
    if (!beat) return node
    const later = beat.lastHeartbeatAt && beat.lastHeartbeatAt > (node.lastHeartbeatAt ?? '')
    const { channel } = beat
    const opened = channel?.connected !== node.channel?.connected || channel?.since !== node.channel?.since
    if (!later && !opened) return node
    return { ...node, channel, lastHeartbeatAt: later ? beat.lastHeartbeatAt : node.lastHeartbeatAt }
  }
  return {
    ...pages,
    pages: pages.pages.map((page) =>
      page.nodes.some((node) => beats.has(node.id)) ? { ...page, nodes: page.nodes.map(renew) } : page,
    ),
  }
}

/** How many there are, as the server counts now: of runtimes behind the loaded pages the line does not tell who leaves the list. */
export function recount(pages: RuntimePages, totalCount: number): RuntimePages {
  const isSame = pages.pages.every((page) => page.totalCount === totalCount)
  return isSame ? pages : { ...pages, pages: pages.pages.map((page) => ({ ...page, totalCount })) }
}
