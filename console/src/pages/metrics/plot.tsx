import { useEffect, useEffectEvent, useRef } from 'react'
import uPlot from 'uplot'
import { watchTheme } from '@/util/theme'
import type { Chart, Frame } from './charts'
import { axisTimes, format } from './format'
import 'uplot/dist/uPlot.min.css'
import { dashOf, hatch, lonely, markMoment, type Paint, readPaint, unknownRuns } from './paint'
import { point } from './pointed'

const HEIGHT_PX = 176
/** The same for all charts, so that a moment stands above itself. */
const LEFT_PX = 62
const SYNC = 'metrics'
/** Marks of an axis of bytes. */
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power)

type PlotProps = {
  chart: Chart
  frame: Frame
  /** The middle of the step that is looked at. */
  moment: number | undefined
  onZoom: (fromS: number, toS: number) => void
  onMoment: (step: number) => void
}

/** The drawing of a chart; what it shows stands in the legend and the table, for those who do not see it. */
export function Plot({ chart, frame, moment, onZoom, onMoment }: PlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const drawn = useRef<{ plot: uPlot; look: Look }>(undefined)
  const zoom = useEffectEvent(onZoom)
  const pick = useEffectEvent(onMoment)
  const shape = JSON.stringify([chart.key, chart.lines.map(({ name, look }) => [name, look])])

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new shape makes a new plot, new values are put into it below
  useEffect(() => {
    const host = box.current
    if (!host) return
    const look: Look = { paint: readPaint(host), frame, moment }
    const plot = new uPlot(optionsOf({ chart, look, width: host.clientWidth, zoom, pick }), dataOf(chart, frame), host)
    drawn.current = { plot, look }
    const repaint = () => {
      look.paint = readPaint(host)
      plot.redraw(false, true)
    }
    const size = new ResizeObserver(
      () => host.clientWidth && plot.setSize({ width: host.clientWidth, height: HEIGHT_PX }),
    )
    size.observe(host)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', repaint)
    const unwatch = watchTheme(repaint)
    return () => {
      unwatch()
      dark.removeEventListener('change', repaint)
      size.disconnect()
      plot.destroy()
      drawn.current = undefined
      point(null)
    }
  }, [shape])

  // biome-ignore lint/correctness/useExhaustiveDependencies: a plot that was made anew wants its values, too
  useEffect(() => {
    const { plot, look } = drawn.current ?? {}
    if (!plot || !look) return
    Object.assign(look, { frame, moment })
    plot.setData(dataOf(chart, frame))
  }, [chart, frame, moment, shape])

  return <div ref={box} className="plot h-[176px] overflow-hidden" aria-hidden />
}

const dataOf = (chart: Chart, { middles }: Frame): uPlot.AlignedData => [
  middles,
  ...chart.lines.map(({ values }) => values),
]

/** What the drawing reads anew each time. */
type Look = { paint: Paint; frame: Frame; moment: number | undefined }
type Making = {
  chart: Chart
  look: Look
  width: number
  zoom: (fromS: number, toS: number) => void
  pick: (step: number) => void
}

function optionsOf({ chart, look, width, zoom, pick }: Making): uPlot.Options {
  const { paint: now } = look
  const stroke = () => look.paint.text
  const lines = { stroke: () => look.paint.grid, width: 1 }
  return {
    width,
    height: HEIGHT_PX,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: true, range: () => [look.frame.fromS, look.frame.toS] },
      y: {
        range: (_plot, _least, most) => [
          0,
          most > 0 ? uPlot.rangeNum(0, most, 0.1, true)[1] : chart.unit === 'share' ? 0.01 : 1,
        ],
      },
    },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      sync: { key: SYNC, setSeries: false, filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
      points: { size: 6 },
    },
    series: [
      {},
      ...chart.lines.map(({ look: own, filled }, number): uPlot.Series => {
        const colour = () => look.paint.of(own)
        return {
          stroke: colour,
          width: 1.5,
          dash: dashOf(own),
          spanGaps: false,
          points: {
            show: true,
            size: 4,
            stroke: colour,
            fill: colour,
            filter: (plot) => lonely((plot.data[number + 1] ?? []) as (number | null)[]),
          },
          ...(filled ? { fill: () => translucent(look.paint.of(own)) } : {}),
        }
      }),
    ],
    axes: [
      {
        stroke,
        font: now.font,
        grid: { show: false },
        ticks: { ...lines, size: 4 },
        size: 24,
        space: 64,
        values: (_plot, splits, _axis, _space, stepS) => axisTimes(splits, stepS),
      },
      {
        stroke,
        font: now.font,
        grid: lines,
        ticks: { show: false },
        size: LEFT_PX,
        ...(chart.unit === 'bytes' ? { incrs: POWERS } : {}),
        space: 34,
        values: (_plot, splits) => splits.map((value) => format(chart.unit, value)),
      },
    ],
    hooks: {
      drawAxes: [(plot) => hatch(plot, look.paint, gapsOf(look.frame))],
      draw: [(plot) => markMoment(plot, look.paint, look.moment)],
      setCursor: [
        (plot) => point(plot.cursor.left !== undefined && plot.cursor.left >= 0 ? (plot.cursor.idx ?? null) : null),
      ],
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select
          if (wide < 1) return
          const [fromS, toS] = [plot.posToVal(left, 'x'), plot.posToVal(left + wide, 'x')]
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          zoom(fromS, toS)
        },
      ],
      ready: [
        (plot) =>
          plot.over.addEventListener('click', () => {
            if (plot.cursor.idx != null) pick(plot.cursor.idx)
          }),
      ],
    },
  }
}

/** The area below a line is the line's colour, thinned. */
function translucent(colour: string): string {
  return colour.startsWith('rgb(') ? colour.replace('rgb(', 'rgba(').replace(')', ', 0.12)') : colour
}

/** Where nothing is known. Units: s since the epoch. */
const gapsOf = ({ known, begins, stepS }: Frame) =>
  unknownRuns(known).map(([first, last]): [number, number] => [begins[first] ?? 0, (begins[last] ?? 0) + stepS])
