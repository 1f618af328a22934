import { runtime as words } from '@/strings/runtimes'
import { steering } from '@/strings/steering'
import { More } from '@/ui/more'
import { Card, TableBox } from '@/ui/page'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import { FilterBox } from './filter-box'
import { hiddenBy } from './handlers'
import { SteerLink } from './hosted'
import type { RuntimeFacts } from './index'

type LogLevelsProps = {
  runtime: RuntimeFacts
  filter: string
  onFilter: (filter: string) => void
  onMore: () => void
  loading: boolean
}

/** So many handlers are named above the list; each logger that one hides says so itself. */
const HANDLERS = 3

/** The filter narrows what is loaded; the API has none for loggers. */
export function LogLevels({ runtime, filter, onFilter, onMore, loading }: LogLevelsProps) {
  const { logHandlers } = runtime
  const { nodes, totalCount } = runtime.logLevels
  const shown = nodes
    .map((each) => ({ ...each, hiding: hiddenBy(each.logger, each.level, logHandlers) }))
    .filter((each) => `${each.logger} ${each.level}`.toLowerCase().includes(filter.toLowerCase()))
  return (
    <Card
      title={words.logLevels}
      label={words.logLevels}
      beside={<span className="nums text-muted">{totalCount}</span>}
      actions={
        <>
          <FilterBox label={words.filter} value={filter} onFilter={onFilter} among={nodes.length} />
          {totalCount > 0 && <SteerLink runtime={runtime} kind="LOGGER" what={words.logLevels} />}
        </>
      }
    >
      {logHandlers.length > 0 && (
        <ul className="border-b border-line px-3.5 py-1.5 text-muted">
          {logHandlers.slice(0, HANDLERS).map(({ logger, handler, level }) => (
            <li key={`${logger} ${handler}`}>
              <Said text={words.handlers(handler, logger || words.rootLogger, level)} />
            </li>
          ))}
          {logHandlers.length > HANDLERS && <li>{steering.more(logHandlers.length - HANDLERS)}</li>}
        </ul>
      )}
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
              {shown.map(({ logger, level, hiding }) => (
                <tr key={logger}>
                  <td className="mono whitespace-normal! [overflow-wrap:anywhere]">{logger || words.rootLogger}</td>
                  <td className="whitespace-normal!">
                    <span className={`mono ${runtime.status === 'RUNNING' ? 'text-muted' : 'text-faint'}`}>
                      {level}
                    </span>
                    {hiding && (
                      <span
                        className="ml-2 text-[12px] text-warn"
                        data-tip={words.hiddenBy(hiding.handler, hiding.logger || words.rootLogger, hiding.level)}
                      >
                        {words.hidden(hiding.level)}
                      </span>
                    )}
                  </td>
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
