type Row = { sequence: number }
type Page<R> = { nodes: R[]; totalCount: number }
type Pages<P> = { pages: P[]; pageParams: unknown[] }

/** The newest of so many rows stay on the first page: a list that is watched for days must not grow without end. */
export const FIRST_PAGE_MAX = 500

/** The list with rows that just came, newest first; what is there already is not told twice. */
export function withNew<R extends Row, P extends Page<R>, All extends Pages<P>>(all: All & Pages<P>, rows: R[]): All {
  const [first, ...rest] = all.pages
  if (!first) return all
  const known = new Set(all.pages.flatMap((page) => page.nodes.map((row) => row.sequence)))
  const fresh = rows.filter((row) => !known.has(row.sequence))
  if (fresh.length === 0) return all
  const nodes = [...fresh, ...first.nodes].sort((a, b) => b.sequence - a.sequence)
  // Rows may only be let go where no later page would leave a gap behind them.
  const kept = rest.length === 0 ? nodes.slice(0, FIRST_PAGE_MAX) : nodes
  return { ...all, pages: [{ ...first, nodes: kept, totalCount: first.totalCount + fresh.length }, ...rest] }
}
