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

/** Height of the lane that an arrow takes past the boxes of a layer. */
const LANE = 26
/** What a label takes up; those of one gap may not lie upon each other. */
const LABEL = { width: 112, height: 30 } as const

const byName = (a: Node, b: Node) => (a.name === b.name ? (a.id < b.id ? -1 : 1) : a.name < b.name ? -1 : 1)

/** A box, or a lane: a bend of an arrow that leads past a layer. */
type Spot = Node & { lane?: true }
type Place = { x: number; y: number; height: number; layer: number; row: number }

export function draw<N extends Node, E extends Edge>(nodes: readonly N[], edges: readonly E[]): Drawn<N, E> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const layers = layersOf(nodes.toSorted(byName), edges)
  const chains = withLanes(layers, edges)
  const places = placed(ordered(layers, [...chains.values()].flatMap(pairs)))
  const bottom = Math.max(0, ...[...places.values()].map(({ y, height }) => y + height)) + MARGIN
  const isBack = ({ from, to }: Edge) => (places.get(from)?.layer ?? 0) >= (places.get(to)?.layer ?? 0)
  const known = edges.filter(({ from, to }) => byId.has(from) && byId.has(to))
  const loops = known.some(isBack)
  const width = MARGIN * 2 + layers.length * (NODE.width + GAP.x) - (layers.length ? GAP.x : 0)
  return {
    nodes: [...places].flatMap(([id, { x, y, layer, row }]) => {
      const node = byId.get(id)
      return node ? [{ node, layer, row, x, y }] : []
    }),
    edges: apart(
      known.toSorted(byEnds).map((edge) => ({
        edge,
        ...(isBack(edge)
          ? around(places.get(edge.from), places.get(edge.to), bottom)
          : along((chains.get(keyOf(edge)) ?? []).flatMap((id) => places.get(id) ?? []))),
      })),
    ),
    width: width + (loops ? GAP.x / 2 : 0),
    height: bottom + (loops ? GAP.y * 2 : 0),
  }
}

const keyOf = ({ from, to }: Edge) => `${from} ${to}`
const byEnds = (a: Edge, b: Edge) => (keyOf(a) < keyOf(b) ? -1 : 1)
const pairs = (chain: readonly string[]): Edge[] =>
  chain.slice(1).map((to, place) => ({ from: chain[place] ?? to, to }))

/** Gives each arrow a lane in every layer that it leads past; tells the ways of all arrows that lead on. */
function withLanes(layers: Spot[][], edges: readonly Edge[]): Map<string, string[]> {
  const layerOf = new Map(layers.flatMap((layer, place) => layer.map(({ id }) => [id, place] as const)))
  const chains = new Map<string, string[]>()
  for (const edge of edges.toSorted(byEnds)) {
    const [from, to] = [layerOf.get(edge.from), layerOf.get(edge.to)]
    if (from === undefined || to === undefined || from >= to) continue
    const lanes = layers.slice(from + 1, to).map((layer, place) => {
      const id = `${keyOf(edge)} ${place}`
      layer.push({ id, name: id, lane: true })
      return id
    })
    chains.set(keyOf(edge), [edge.from, ...lanes, edge.to])
  }
  return chains
}

/** Boxes and lanes beneath each other, each layer in the middle of the drawing. */
function placed(layers: readonly Spot[][]): Map<string, Place> {
  const heightOf = ({ lane }: Spot) => (lane ? LANE : NODE.height)
  const sum = (layer: readonly Spot[]) => layer.reduce((all, spot) => all + heightOf(spot) + GAP.y, -GAP.y)
  const tallest = Math.max(0, ...layers.map(sum))
  const places = new Map<string, Place>()
  for (const [layer, spots] of layers.entries()) {
    let y = MARGIN + (tallest - sum(spots)) / 2
    for (const [row, spot] of spots.entries()) {
      const height = heightOf(spot)
      places.set(spot.id, { x: MARGIN + layer * (NODE.width + GAP.x), y, height, layer, row })
      y += height + GAP.y
    }
  }
  return places
}

/** A caller stands left of whom it calls, as far as they do not call each other in a ring. */
function layersOf(nodes: readonly Node[], edges: readonly Edge[]): Spot[][] {
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
  const layers: Spot[][] = []
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
function ordered(layers: Spot[][], edges: readonly Edge[]): Spot[][] {
  const tied = new Map<string, string[]>()
  const tie = (a: string, b: string) => tied.set(a, [...(tied.get(a) ?? []), b])
  for (const { from, to } of edges) {
    tie(from, to)
    tie(to, from)
  }
  let now = layers
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const right = sweep % 2 === 0
    const done: Spot[][] = [...now]
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

type Route = { path: string; labelX: number; labelY: number }

/** From the right side of the caller through its lanes to the left side of the called. */
function along(places: readonly Place[]): Route {
  const stops = places.map(({ x, y, height }) => ({ left: x, right: x + NODE.width, y: y + height / 2 }))
  const [first, second] = stops
  if (!first || !second) return { path: '', labelX: 0, labelY: 0 }
  const steps = stops.slice(1).map((to, place) => {
    const from = stops[place] ?? to
    const middle = (from.right + to.left) / 2
    const across = place < stops.length - 2 ? `H${to.right}` : ''
    return `C${middle},${from.y} ${middle},${to.y} ${to.left},${to.y}${across}`
  })
  const isLong = stops.length > 2
  return {
    path: `M${first.right},${first.y}${steps.join('')}`,
    // In a lane there is more room than between two layers.
    labelX: isLong ? (second.left + second.right) / 2 : (first.right + second.left) / 2,
    labelY: isLong ? second.y : (first.y + second.y) / 2,
  }
}

/** What leads back goes around below. */
function around(from: Place | undefined, to: Place | undefined, bottom: number): Route {
  if (!from || !to) return { path: '', labelX: 0, labelY: 0 }
  const [x1, y1] = [from.x + NODE.width, from.y + NODE.height / 2]
  const [x2, y2] = [to.x, to.y + NODE.height / 2]
  const low = bottom + GAP.y / 2
  const middle = (x1 + x2) / 2
  return {
    path: `M${x1},${y1}C${x1 + 60},${y1} ${x1 + 60},${low} ${middle},${low}S${x2 - 60},${y2} ${x2},${y2}`,
    labelX: middle,
    labelY: low,
  }
}

/** Moves labels that would lie upon another down until they do not. */
function apart<Labelled extends Route>(labelled: Labelled[]): Labelled[] {
  const done: Labelled[] = []
  for (const each of labelled.toSorted((a, b) => a.labelY - b.labelY || a.labelX - b.labelX)) {
    let y = each.labelY
    for (let other = meets(done, each.labelX, y); other; other = meets(done, each.labelX, y))
      y = other.labelY + LABEL.height
    done.push({ ...each, labelY: y })
  }
  return done
}

const meets = (done: readonly Route[], x: number, y: number) =>
  done.find(({ labelX, labelY }) => Math.abs(labelX - x) < LABEL.width && Math.abs(labelY - y) < LABEL.height)
