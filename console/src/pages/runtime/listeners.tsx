import { runtime as words } from '@/strings/runtimes'
import { More } from '@/ui/more'
import { Card, TableBox } from '@/ui/page'
import { Empty } from '@/ui/states'
import { State } from '@/ui/status'
import type { RuntimeFacts } from './index'

type ListenersProps = { runtime: RuntimeFacts; onMore: () => void; loading: boolean }

export function Listeners({ runtime, onMore, loading }: ListenersProps) {
  const { nodes, totalCount } = runtime.listeners
  return (
    <Card
      title={words.listeners}
      label={words.listeners}
      beside={<span className="nums text-muted">{totalCount}</span>}
    >
      {nodes.length === 0 ? (
        <Empty title={words.noListeners} />
      ) : (
        <TableBox label={words.listeners}>
          <table className="grid-table">
            <thead>
              <tr>
                <th scope="col">{words.columns.name}</th>
                <th scope="col">{words.columns.state}</th>
                <th scope="col">{words.columns.protocol}</th>
                <th scope="col">{words.columns.address}</th>
                <th scope="col">{words.columns.package}</th>
              </tr>
            </thead>
            <tbody>
              {nodes.map((listener) => (
                <tr key={`${listener.package} ${listener.name}`}>
                  <td className="mono">{listener.name}</td>
                  <td>
                    <State state={listener.state} unheard={runtime.status !== 'RUNNING'} />
                  </td>
                  <td>{listener.protocol}</td>
                  <td className="mono">{[listener.host, listener.port].filter((part) => part != null).join(':')}</td>
                  <td className="mono text-muted">{listener.package}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      <More shown={nodes.length} total={totalCount} onMore={onMore} loading={loading} />
    </Card>
  )
}
