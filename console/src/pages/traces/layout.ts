/** A layered drawing of who called whom, the same for the same map however its parts are ordered. */
export type Node = { id: string; name: string }
export type Edge = { from: string; to: string }
export type Placed<N extends Node> = { node: N; layer: number; row: number; x: number; y: number }
export type Drawn<N extends Node, E extends Edge> = {
  nodes: Placed<N>[]
  edges: { edge: E; path: string; labelX: number; labelY: number }[]
  width: number
  height: number
}

export const NODE = { width: 184, height: 54 } as const
const GAP = { x: 132, y: 26 } as const
const MARGIN = 12
/** Turns through the layers in which nodes are put nearer to those that they are tied to. */
const SWEEPS = 4

const byName = (a: Node, b: Node) => (a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1)

export function draw<N extends Node, E extends Edge>(nodes: readonly N[], edges: readonly E[]): Drawn<N, E> {
  const sorted = nodes.toSorted(byName)
  const layers = ordered(layersOf(sorted, edges), edges)
  const tallest = Math.max(0, ...layers.map((layer) => layer.length))
  const step = { x: NODE.width + GAP.x, y: NODE.height + GAP.y }
  const placed = layers.flatMap((layer, x) =>
    layer.map((node, row) => ({
      node,
      layer: x,
      row,
      x: MARGIN + x * step.x,
      y: MARGIN + (row + (tallest - layer.length) / 2) * step.y,
    })),
  )
  const at = new Map(placed.map((each) => [each.node.id, each]))
  const bottom = MARGIN * 2 + tallest * step.y - (tallest ? GAP.y : 0)
  const loops = edges.some(({ from, to }) => (at.get(from)?.layer ?? 0) >= (at.get(to)?.layer ?? 0))
  return {
    nodes: placed,
    edges: edges.flatMap((edge) => {
      const [from, to] = [at.get(edge.from), at.get(edge.to)]
      return from && to ? [{ edge, ...route(from, to, bottom) }] : []
    }),
    width: MARGIN * 2 + layers.length * step.x - (layers.length ? GAP.x : 0) + (loops ? GAP.x / 2 : 0),
    height: bottom + (loops ? GAP.y * 2 : 0),
  }
}

/** A caller stands left of whom it calls, as far as they do not call each other in a ring. */
function layersOf<N extends Node>(nodes: readonly N[], edges: readonly Edge[]): N[][] {
  const ahead = forward(nodes, edges)
  const layer = new Map(nodes.map(({ id }) => [id, 0]))
  // The longest way from a node that nobody calls; without rings it is found in as many turns as there are nodes.
  for (let turn = 0, moved = true; moved && turn < nodes.length; turn++) {
    moved = false
    for (const { from, to } of ahead) {
      const next = (layer.get(from) ?? 0) + 1
      if (next > (layer.get(to) ?? 0)) {
        layer.set(to, next)
        moved = true
      }
    }
  }
  const layers: N[][] = []
  for (const node of nodes) {
    const place = layer.get(node.id) ?? 0
    while (layers.length <= place) layers.push([])
    layers[place]?.push(node)
  }
  return layers
}

/** The edges without those that lead back: what a walk in the order of the names meets on its own way. */
function forward(nodes: readonly Node[], edges: readonly Edge[]): Edge[] {
  const known = new Set(nodes.map(({ id }) => id))
  const names = new Map(nodes.map((node, place) => [node.id, place]))
  const out = new Map<string, Edge[]>()
  const called = new Set<string>()
  for (const edge of edges) {
    if (edge.from === edge.to || !known.has(edge.from) || !known.has(edge.to)) continue
    out.set(edge.from, [...(out.get(edge.from) ?? []), edge])
    called.add(edge.to)
  }
  for (const list of out.values()) list.sort((a, b) => (names.get(a.to) ?? 0) - (names.get(b.to) ?? 0))
  const state = new Map<string, 'open' | 'done'>()
  const kept: Edge[] = []
  const starts = [...nodes.filter(({ id }) => !called.has(id)), ...nodes]
  for (const { id: start } of starts) {
    if (state.has(start)) continue
    state.set(start, 'open')
    const way = [{ id: start, next: 0 }]
    for (let here = way.at(-1); here; here = way.at(-1)) {
      const edge = out.get(here.id)?.[here.next++]
      if (!edge) {
        state.set(here.id, 'done')
        way.pop()
      } else if (state.get(edge.to) !== 'open') {
        kept.push(edge)
        if (state.has(edge.to)) continue
        state.set(edge.to, 'open')
        way.push({ id: edge.to, next: 0 })
      }
    }
  }
  return kept
}

/** Puts the nodes of each layer into the order of what they are tied to in the layer beside it. */
function ordered<N extends Node>(layers: N[][], edges: readonly Edge[]): N[][] {
  const tied = new Map<string, string[]>()
  const tie = (a: string, b: string) => tied.set(a, [...(tied.get(a) ?? []), b])
  for (const { from, to } of edges) {
    tie(from, to)
    tie(to, from)
  }
  let now = layers
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const right = sweep % 2 === 0
    const done: N[][] = [...now]
    const places = right ? now.keys() : [...now.keys()].reverse()
    for (const place of places) {
      const beside = done[place + (right ? -1 : 1)]
      const layer = done[place]
      if (!beside || !layer) continue
      const rows = new Map(beside.map(({ id }, row) => [id, row]))
      const weight = new Map(layer.map(({ id }, row) => [id, middle(tied.get(id) ?? [], rows) ?? row]))
      done[place] = layer.toSorted((a, b) => (weight.get(a.id) ?? 0) - (weight.get(b.id) ?? 0) || byName(a, b))
    }
    now = done
  }
  return now
}

function middle(ids: readonly string[], rows: ReadonlyMap<string, number>): number | undefined {
  const found = ids.flatMap((id) => rows.get(id) ?? [])
  return found.length ? found.reduce((sum, row) => sum + row, 0) / found.length : undefined
}

/** From the right side of the caller to the left side of the called; what leads back goes around below. */
function route(from: Placed<Node>, to: Placed<Node>, bottom: number) {
  const [x1, y1] = [from.x + NODE.width, from.y + NODE.height / 2]
  const [x2, y2] = [to.x, to.y + NODE.height / 2]
  if (from.layer < to.layer) {
    const bend = Math.max(40, (x2 - x1) / 2)
    // Over more than one layer the label stands behind the first, where nothing else can.
    const labelX = x1 + GAP.x / 2
    const share = (labelX - x1) / (x2 - x1)
    return {
      path: `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`,
      labelX,
      labelY: y1 + (y2 - y1) * share,
    }
  }
  const low = bottom + GAP.y
  return {
    path: `M${x1},${y1}C${x1 + 60},${y1} ${x1 + 60},${low} ${(x1 + x2) / 2},${low}S${x2 - 60},${y2} ${x2},${y2}`,
    labelX: (x1 + x2) / 2,
    labelY: low,
  }
}
