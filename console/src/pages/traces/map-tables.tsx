import { Link } from '@tanstack/react-router'
import { CircleX } from 'lucide-react'
import { traces as words } from '@/strings/traces'
import { Card, TableBox } from '@/ui/page'
import { to } from '@/util/paths'
import type { TracesSearch } from '@/util/search'
import { formatP95, formatRate, formatShare, type ServiceMap, type ServiceNode, tracesOf } from './map-facts'

const { map: said } = words

type TableProps = { map: ServiceMap; search: TracesSearch }

/** Every arrow of the drawing with its figures, the busiest first. */
export function CallTable({ map, search }: TableProps) {
  const nodes = new Map(map.nodes.map((node) => [node.id, node]))
  return (
    <Card title={said.calls}>
      <TableBox label={said.calls}>
        <table className="grid-table">
          <thead>
            <tr>
              <th scope="col">{said.columns.from}</th>
              <th scope="col">{said.columns.to}</th>
              <th scope="col" className="text-right">
                {said.columns.calls}
              </th>
              {map.seconds && (
                <th scope="col" className="text-right">
                  {said.columns.rate}
                </th>
              )}
              <th scope="col" className="text-right">
                {said.columns.errors}
              </th>
              <th scope="col" className="text-right">
                {said.columns.p95}
              </th>
            </tr>
          </thead>
          <tbody>
            {map.edges.map(({ from, to: called, calls, failed, p95Ms }) => (
              <tr key={`${from} ${called}`}>
                <td>
                  <Service node={nodes.get(from)} search={search} />
                </td>
                <td className="w-full">
                  <Service node={nodes.get(called)} search={search} />
                </td>
                <td className="text-right">{calls.toLocaleString('en')}</td>
                {map.seconds && <td className="text-right">{formatRate(calls, map.seconds)}</td>}
                <td className="text-right">
                  <Errors failed={failed} all={calls} />
                </td>
                <td className="text-right">{formatP95(p95Ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </Card>
  )
}

/** Every box of the drawing. */
export function ServiceTable({ map, search }: TableProps) {
  return (
    <Card title={said.services}>
      <TableBox label={said.services}>
        <table className="grid-table">
          <thead>
            <tr>
              <th scope="col">{said.columns.service}</th>
              <th scope="col">{said.columns.integration}</th>
              <th scope="col" className="text-right">
                {said.columns.requests}
              </th>
              <th scope="col" className="text-right">
                {said.columns.errors}
              </th>
            </tr>
          </thead>
          <tbody>
            {map.nodes.map((node) => (
              <tr key={node.id}>
                <td>
                  <Service node={node} search={search} />
                </td>
                <td className="w-full">
                  {node.integration && node.project ? (
                    <Link {...to.integration(node.project.handle, node.integration.handle)} className="link">
                      {node.project.displayName} / {node.integration.displayName}
                    </Link>
                  ) : (
                    <span className="text-faint" data-tip={said.onlyCalledTip}>
                      {said.onlyCalled}
                    </span>
                  )}
                </td>
                <td className="text-right">{node.requests.toLocaleString('en')}</td>
                <td className="text-right">
                  <Errors failed={node.failed} all={node.requests} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </Card>
  )
}

function Service({ node, search }: { node: ServiceNode | undefined; search: TracesSearch }) {
  if (!node) return null
  const link = tracesOf(node, search)
  const name = node.name || words.unnamed
  return link ? (
    <Link {...link} className="link">
      {name}
    </Link>
  ) : (
    <span>{name}</span>
  )
}

function Errors({ failed, all }: { failed: number; all: number }) {
  if (failed === 0) return <span className="text-faint">{said.nothingFailed}</span>
  return (
    <span className="inline-flex items-center gap-1.5 font-medium text-bad">
      <CircleX size={12} aria-hidden />
      {formatShare(failed, all)}
    </span>
  )
}
