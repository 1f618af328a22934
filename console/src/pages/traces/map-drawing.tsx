import { Link } from '@tanstack/react-router'
import { CircleX, Database } from 'lucide-react'
import { useId, useMemo } from 'react'
import { traces as words } from '@/strings/traces'
import type { TracesSearch } from '@/util/search'
import { draw, NODE } from './layout'
import { formatShare, labelOf, type ServiceMap, type ServiceNode, tracesOf } from './map-facts'

const { map: said } = words
const frame = 'mb-4 max-h-[70vh] overflow-auto rounded-lg border border-line bg-surface'
const WIDTHS = { least: 1, most: 3.5 }

/** How thick an arrow is: by the order of magnitude of its calls. */
export function thickness(calls: number, most: number): number {
  if (most <= 1) return WIDTHS.least
  return WIDTHS.least + (WIDTHS.most - WIDTHS.least) * (Math.log(Math.max(1, calls)) / Math.log(most))
}

/** Services as boxes, calls as arrows from left to right; the tables beneath hold the same facts. */
export function Drawing({ map, search }: { map: ServiceMap; search: TracesSearch }) {
  const id = useId()
  const { nodes, edges, width, height } = useMemo(() => draw(map.nodes, map.edges), [map.nodes, map.edges])
  const most = Math.max(1, ...map.edges.map(({ calls }) => calls))
  return (
    // biome-ignore lint/a11y/useSemanticElements lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard, and is no landmark
    <div role="group" aria-label={said.drawing} tabIndex={0} className={frame}>
      <div className="relative mx-auto" style={{ width, height }}>
        <svg width={width} height={height} className="absolute inset-0" aria-hidden="true">
          <defs>
            {(['faint', 'bad'] as const).map((tone) => (
              <marker
                key={tone}
                id={`${id}-${tone}`}
                viewBox="0 0 8 8"
                refX="7.5"
                refY="4"
                markerWidth="8"
                markerHeight="8"
                markerUnits="userSpaceOnUse"
                orient="auto-start-reverse"
              >
                <path d="M0,0.5 8,4 0,7.5Z" fill={`var(--color-${tone})`} />
              </marker>
            ))}
          </defs>
          {edges.map(({ edge, path }) => (
            <path
              key={`${edge.from} ${edge.to}`}
              d={path}
              fill="none"
              stroke={`var(--color-${edge.failed ? 'bad' : 'faint'})`}
              strokeWidth={thickness(edge.calls, most)}
              strokeDasharray={edge.failed ? '7 3' : undefined}
              markerEnd={`url(#${id}-${edge.failed ? 'bad' : 'faint'})`}
              opacity={0.75}
            />
          ))}
        </svg>
        {edges.map(({ edge, labelX, labelY }) => (
          <span
            key={`${edge.from} ${edge.to}`}
            className="nums absolute -translate-x-1/2 -translate-y-1/2 whitespace-nowrap rounded bg-surface px-1 text-center text-[11px] leading-[14px] text-muted"
            style={{ left: labelX, top: labelY }}
          >
            {labelOf(edge, map.seconds)}
            {edge.failed > 0 && (
              <span className="flex items-center justify-center gap-1 font-medium text-bad">
                <CircleX size={10} aria-hidden />
                {said.failing(formatShare(edge.failed, edge.calls))}
              </span>
            )}
          </span>
        ))}
        {nodes.map(({ node, x, y }) => (
          <Box key={node.id} node={node} search={search} style={{ left: x, top: y, ...NODE }} />
        ))}
      </div>
    </div>
  )
}

type BoxProps = { node: ServiceNode; search: TracesSearch; style: React.CSSProperties }

function Box({ node, search, style }: BoxProps) {
  const link = tracesOf(node, search)
  const name = node.name || words.unnamed
  const inside = (
    <>
      <span className="flex w-full min-w-0 items-center gap-1.5">
        {!link && <Database size={12} className="shrink-0 text-faint" aria-hidden />}
        <span className="truncate font-medium">{name}</span>
        {node.failed > 0 && <CircleX size={12} className="ml-auto shrink-0 text-bad" aria-hidden />}
      </span>
      <span className="nums w-full truncate text-[11px] text-muted">
        {node.integration ? node.integration.displayName : said.onlyCalled}
        {node.failed > 0 && (
          <span className="text-bad"> · {said.failing(formatShare(node.failed, node.requests))}</span>
        )}
      </span>
    </>
  )
  const look = `absolute flex flex-col justify-center rounded-md border bg-raised px-2.5 ${link ? 'border-edge hover:bg-hover' : 'border-dashed border-edge'}`
  if (!link)
    return (
      <div className={look} style={style} data-tip={said.onlyCalledTip}>
        {inside}
      </div>
    )
  return (
    <Link {...link} data-row className={look} style={style}>
      {inside}
    </Link>
  )
}
