import { runtime as words } from '@/strings/runtimes'
import { Card, TableBox } from '@/ui/page'
import { Empty } from '@/ui/states'
import type { RuntimeFacts } from './index'
import { filterClass, More } from './more'

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
      actions={
        <input
          type="search"
          aria-label={words.filter}
          placeholder={words.filterShort}
          value={filter}
          onChange={(event) => onFilter(event.target.value)}
          className={filterClass}
        />
      }
    >
      {nodes.length === 0 ? (
        <Empty title={words.noLogLevels} />
      ) : shown.length === 0 ? (
        <Empty title={words.noMatch} />
      ) : (
        <TableBox label={words.logLevels}>
          <table className="grid-table">
            <thead>
              <tr>
                <th scope="col">{words.columns.logger}</th>
                <th scope="col">{words.columns.level}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(({ logger, level }) => (
                <tr key={logger}>
                  <td className="mono w-full">{logger || words.rootLogger}</td>
                  <td className="mono text-muted">{level}</td>
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
