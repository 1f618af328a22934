import { runtime as words } from '@/strings/runtimes'
import { More } from '@/ui/more'
import { Card, TableBox } from '@/ui/page'
import { Empty } from '@/ui/states'
import { FilterBox } from './filter-box'
import type { RuntimeFacts } from './index'

type LogLevelsProps = {
  runtime: RuntimeFacts
  filter: string
  onFilter: (filter: string) => void
  onMore: () => void
  loading: boolean
}

/** The filter narrows what is loaded; the API has none for loggers. */
export function LogLevels({ runtime, filter, onFilter, onMore, loading }: LogLevelsProps) {
  const { nodes, totalCount } = runtime.logLevels
  const shown = nodes.filter((each) => `${each.logger} ${each.level}`.toLowerCase().includes(filter.toLowerCase()))
  return (
    <Card
      title={words.logLevels}
      label={words.logLevels}
      beside={<span className="nums text-muted">{totalCount}</span>}
      actions={<FilterBox label={words.filter} value={filter} onFilter={onFilter} among={nodes.length} />}
    >
      {nodes.length === 0 ? (
        <Empty title={words.noLogLevels} />
      ) : shown.length === 0 ? (
        <Empty title={words.noMatch} />
      ) : (
        <TableBox label={words.logLevels}>
          <table className="grid-table table-fixed">
            <thead>
              <tr>
                <th scope="col">{words.columns.logger}</th>
                <th scope="col" className="w-[30%] sm:w-[42%]">
                  {words.columns.level}
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ logger, level }) => (
                <tr key={logger}>
                  <td className="mono whitespace-normal! [overflow-wrap:anywhere]">{logger || words.rootLogger}</td>
                  <td className={`mono ${runtime.status === 'RUNNING' ? 'text-muted' : 'text-faint'}`}>{level}</td>
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
