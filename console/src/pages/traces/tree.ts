import type { TraceQuery } from '@/api/generated/telemetry'

export type Trace = NonNullable<TraceQuery['trace']>
export type Span = Trace['spans'][number]

/** What a reader must know of a span's place before believing it. */
export type Doubt = 'orphan' | 'loop' | 'skew'

export type Row = {
  span: Span
  /** Place in the waterfall: spans may share an id, so this is the row's identity. */
  index: number
  depth: number
  parent: Row | undefined
  /** Spans right beneath it, and all beneath it. */
  children: number
  below: number
  position: number
  siblings: number
  doubts: Doubt[]
  /** How long before its parent it claims to have begun. Units: ms. */
  aheadMs: number
  /** It failed and nothing beneath it did: here is where to look. */
  origin: boolean
}

/** Clocks of one machine tell less than this apart. Units: ms. */
const SKEW_MS_MIN = 0.001

/**
 * Places spans, given as a waterfall (parents before children), in their tree. A span whose parent did not come begins a
 * branch of its own; so does one whose parent stands behind it, which only a ring of parents brings about.
 */
export function treeOf(spans: readonly Span[]): Row[] {
  const ids = new Set(spans.map(({ id }) => id))
  const placed = new Map<string, Row>()
  const rows: Row[] = []
  let tops = 0
  for (const [index, span] of spans.entries()) {
    const parent = span.parentId && span.parentId !== span.id ? placed.get(span.parentId) : undefined
    const aheadMs = parent ? (parent.span.offsetMs ?? 0) - (span.offsetMs ?? 0) : 0
    const doubts: Doubt[] = []
    if (span.parentId && !parent) doubts.push(ids.has(span.parentId) ? 'loop' : 'orphan')
    if (aheadMs >= SKEW_MS_MIN) doubts.push('skew')
    const row: Row = {
      span,
      index,
      depth: parent ? parent.depth + 1 : 0,
      parent,
      children: 0,
      below: 0,
      position: parent ? parent.children + 1 : ++tops,
      siblings: 0,
      doubts,
      aheadMs: doubts.includes('skew') ? aheadMs : 0,
      origin: false,
    }
    if (parent) parent.children++
    if (!placed.has(span.id)) placed.set(span.id, row)
    rows.push(row)
  }
  return completed(rows, tops)
}

/** What only those behind a row can tell of it: how many there are, and whether one of them failed. */
function completed(rows: Row[], tops: number): Row[] {
  const failedBelow = new Set<Row>()
  for (const row of rows.toReversed()) {
    row.siblings = row.parent ? row.parent.children : tops
    row.origin = row.span.failed && !failedBelow.has(row)
    if (!row.parent) continue
    row.parent.below += row.below + 1
    if (row.span.failed || failedBelow.has(row)) failedBelow.add(row.parent)
  }
  return rows
}

/** The rows that are seen while those with these indexes are folded. */
export function unfolded(rows: readonly Row[], folded: ReadonlySet<number>): Row[] {
  const hidden = new Set<Row>()
  return rows.filter((row) => {
    if (!row.parent || !(hidden.has(row.parent) || folded.has(row.parent.index))) return true
    hidden.add(row)
    return false
  })
}

/** All that stand above a row, the nearest first. */
export function ancestors(row: Row): Row[] {
  const above: Row[] = []
  for (let each = row.parent; each; each = each.parent) above.push(each)
  return above
}

export type Doubts = { orphans: number; loops: number; skewed: number; aheadMsMax: number }

export function doubtsOf(rows: readonly Row[]): Doubts {
  const having = (doubt: Doubt) => rows.filter(({ doubts }) => doubts.includes(doubt)).length
  return {
    orphans: having('orphan'),
    loops: having('loop'),
    skewed: having('skew'),
    aheadMsMax: rows.reduce((most, { aheadMs }) => Math.max(most, aheadMs), 0),
  }
}
