import type uPlot from 'uplot'
import type { Look } from './charts'

/** What a canvas needs of the style sheet, resolved for the theme that is on. */
export type Paint = {
  of: (look: Look) => string
  grid: string
  text: string
  hatch: string
  mark: string
  font: string
}

const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 4], [1, 3]]

/** Parts differ by more than colour. */
export function dashOf(look: Look): number[] {
  return look.startsWith('part-') ? (DASHES[Number(look.slice(5))] ?? []) : look === 'bad' ? [4, 2] : []
}

/** A canvas understands neither variables nor `light-dark`: an element of the page resolves them. */
export function readPaint(host: HTMLElement): Paint {
  const probe = document.createElement('i')
  probe.className = 'plot-colours'
  probe.hidden = true
  host.append(probe)
  const read = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const looks = new Map<Look, string>()
  const paint = {
    of: (look: Look) => looks.get(look) ?? paint.text,
    grid: read('color-line'),
    text: read('color-faint'),
    hatch: read('color-edge'),
    mark: read('color-ink'),
    font: `11px ${getComputedStyle(host).fontFamily}`,
  }
  const all = [
    'plain',
    'bad',
    ...[0, 1, 2, 3, 4, 5].map((n) => `part-${n}` as const),
    ...[0, 1, 2, 3].map((n) => `share-${n}` as const),
  ] as const
  for (const look of all) looks.set(look, read(look))
  probe.remove()
  return paint
}

/** Runs of steps of which nothing is known. */
export function unknownRuns(known: readonly boolean[]): [number, number][] {
  const runs: [number, number][] = []
  known.forEach((each, at) => {
    if (each) return
    const last = runs.at(-1)
    if (last && last[1] === at - 1) last[1] = at
    else runs.push([at, at])
  })
  return runs
}

const HATCH_PX = 6

/** Hatches what is unknown: a gap is seen to be one, also at the edges and where no line was before. */
export function hatch(plot: uPlot, paint: Paint, edges: readonly [number, number][]): void {
  const { ctx, bbox } = plot
  const gap = HATCH_PX * devicePixelRatio
  ctx.save()
  ctx.beginPath()
  for (const [fromS, toS] of edges) {
    const left = Math.max(bbox.left, plot.valToPos(fromS, 'x', true))
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(toS, 'x', true))
    ctx.rect(left, bbox.top, right - left, bbox.height)
  }
  ctx.clip()
  ctx.beginPath()
  for (let x = bbox.left - bbox.height; x < bbox.left + bbox.width; x += gap) {
    ctx.moveTo(x, bbox.top + bbox.height)
    ctx.lineTo(x + bbox.height, bbox.top)
  }
  ctx.strokeStyle = paint.hatch
  ctx.lineWidth = devicePixelRatio * 0.75
  ctx.stroke()
  ctx.restore()
}

/** A line at the moment that is looked at. */
export function markMoment(plot: uPlot, paint: Paint, atS: number | undefined): void {
  if (atS === undefined) return
  const { ctx, bbox } = plot
  const x = Math.round(plot.valToPos(atS, 'x', true)) + 0.5
  if (x < bbox.left || x > bbox.left + bbox.width) return
  ctx.save()
  ctx.strokeStyle = paint.mark
  ctx.lineWidth = devicePixelRatio
  ctx.beginPath()
  ctx.moveTo(x, bbox.top)
  ctx.lineTo(x, bbox.top + bbox.height)
  ctx.stroke()
  ctx.restore()
}

/** Values with nothing known beside them: no line shows them, a point does. */
export function lonely(values: readonly (number | null | undefined)[]): number[] {
  return values.flatMap((value, at) => (value != null && values[at - 1] == null && values[at + 1] == null ? [at] : []))
}
