import type { LogsSearch } from '@/util/search'
import { logs as read } from '@/util/search'

/** How the router writes searches, and how it reads them. */
type Written = { stringify: (search: object) => string; parse: (text: string) => Record<string, unknown> }

/** What of a search is worth a name: everything but a time of its own, which would be over. */
export function keptText(search: LogsSearch, { stringify }: Pick<Written, 'stringify'>): string {
  const { from, to, ...rest } = search
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return stringify(given) || '?'
}

/** The search that was kept; what this console does not know any more is dropped. */
export function keptSearch(text: string, { parse }: Pick<Written, 'parse'>): LogsSearch {
  return read(parse(text))
}
