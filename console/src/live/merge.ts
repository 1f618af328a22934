import type { BeatFragment, RuntimeFilter, RuntimeRowFragment, RuntimesQuery } from '@/api/generated/operations'
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

/** The server's order: by name, then by id; those without a name come first. */
export function order(a: RuntimeRowFragment, b: RuntimeRowFragment): number {
  const names = compare(a.name ?? '', b.name ?? '')
  return names !== 0 ? names : compare(a.id, b.id)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export type Merged = { pages: RuntimePages; arrived: RuntimeRowFragment | undefined }

/**
 * Applies a change to the pages of one list: a known row changes where it stands, one that is gone leaves,
 * and one that is new is only reported as arrived, so that the page decides when it may appear.
 */
export function applyChange(pages: RuntimePages, filter: RuntimeFilter, change: RuntimeChange): Merged {
  const { runtime, runtimeKey, kind } = change
  if (!runtimeKey || (runtime === null && kind !== 'RETIRED' && kind !== 'REMOVED'))
    return { pages, arrived: undefined }
  const belongs = runtime !== null && matches(filter, runtime)
  const known = pages.pages.some((page) => page.nodes.some((node) => node.id === runtimeKey))
  if (!known) return { pages, arrived: belongs ? runtime : undefined }
  const replace = (page: RuntimePage): RuntimePage => ({
    ...page,
    totalCount: belongs ? page.totalCount : page.totalCount - 1,
    nodes: page.nodes.flatMap((node) => (node.id !== runtimeKey ? [node] : belongs ? [runtime] : [])),
  })
  return { pages: { ...pages, pages: pages.pages.map(replace) }, arrived: undefined }
}

/** Puts rows that arrived where the server's order has them; what lies behind the last loaded page stays there. */
export function insertRows(pages: RuntimePages, rows: RuntimeRowFragment[]): RuntimePages {
  return rows.reduce(insertRow, pages)
}

function insertRow(pages: RuntimePages, row: RuntimeRowFragment): RuntimePages {
  const last = pages.pages.length - 1
  if (last < 0 || pages.pages.some((page) => page.nodes.some((node) => node.id === row.id))) return pages
  const home = pages.pages.findIndex((page, index) => {
    const end = page.nodes.at(-1)
    return index === last || (end !== undefined && order(row, end) < 0)
  })
  const end = pages.pages[home]?.nodes.at(-1)
  const beyond = home === last && pages.pages[last]?.pageInfo.hasNextPage && end && order(row, end) > 0
  return {
    ...pages,
    pages: pages.pages.map((page, index) => ({
      ...page,
      totalCount: page.totalCount + 1,
      nodes: index === home && !beyond ? [...page.nodes, row].sort(order) : page.nodes,
    })),
  }
}

/** Takes over the instants of the last heartbeats and the channels; rows that did not change stay the same object. */
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
  return { ...pages, pages: pages.pages.map((page) => ({ ...page, nodes: page.nodes.map(renew) })) }
}
