import type { ServiceFactsFragment } from '@/api/generated/operations'
import { runtime as words } from '@/strings/runtimes'
import { More } from '@/ui/more'
import { Card, TableBox } from '@/ui/page'
import { Empty } from '@/ui/states'
import { State } from '@/ui/status'
import { ROOM, useRoom } from '@/util/room'
import { FilterBox } from './filter-box'
import type { RuntimeFacts } from './index'
import { inOrder } from './resources'

type ServicesProps = {
  runtime: RuntimeFacts
  filter: string
  onFilter: (filter: string) => void
  onMore: () => void
  loading: boolean
}

/** Services with their resources: where each one listens, and where its handler lives. */
export function Services({ runtime, filter, onFilter, onMore, loading }: ServicesProps) {
  const { nodes, totalCount } = runtime.services
  const shown = nodes.map((service) => narrow(service, filter.toLowerCase())).filter((service) => service !== null)
  return (
    <Card
      title={words.services}
      label={words.services}
      beside={<span className="nums text-muted">{totalCount}</span>}
      actions={
        <FilterBox
          label={words.filterServices}
          value={filter}
          onFilter={onFilter}
          among={nodes.reduce((sum, service) => sum + 1 + service.resources.length, 0)}
          isPageSearch
        />
      }
    >
      {nodes.length === 0 ? (
        <Empty title={words.noServices}>{words.noServicesText}</Empty>
      ) : shown.length === 0 ? (
        <Empty title={words.noMatch} />
      ) : (
        shown.map((service) => (
          <ServiceEntry
            key={`${service.package} ${service.name} ${service.basePath}`}
            service={service}
            unheard={runtime.status !== 'RUNNING'}
          />
        ))
      )}
      <More shown={nodes.length} total={totalCount} onMore={onMore} loading={loading} />
    </Card>
  )
}

/** The service with the resources that match; all of them when it matches itself. */
function narrow(service: ServiceFactsFragment, filter: string): ServiceFactsFragment | null {
  const has = (text: string | null) => text?.toLowerCase().includes(filter)
  if (!filter || has(service.name) || has(service.basePath) || has(service.package)) return service
  const resources = service.resources.filter(
    (each) => has(each.path) || has(each.source) || has(each.methods.join(' ')),
  )
  return resources.length > 0 ? { ...service, resources } : null
}

const pathClass = 'mono whitespace-normal! [overflow-wrap:anywhere]'
/** As wide for GET as for OPTIONS, so that several methods stand below each other. */
const methodClass = 'min-w-[56px] rounded border border-line px-1 text-center text-[11px] leading-[17px] text-muted'

function ServiceEntry({ service, unheard }: { service: ServiceFactsFragment; unheard: boolean }) {
  const narrow = useRoom() < ROOM.small
  const { name, basePath, listeners, resources, resourceCount } = service
  return (
    <section aria-label={name} className="border-b border-line last:border-b-0">
      <header className="flex flex-wrap items-center gap-x-3 px-3.5 pb-1 pt-2">
        <h3>{name}</h3>
        <code className="text-muted">{basePath}</code>
        <State state={service.state} unheard={unheard} />
        <span className="text-[12px] text-faint sm:ml-auto">
          {listeners.length > 0 && (
            <>
              <code>{listeners.join(', ')}</code> ·{' '}
            </>
          )}
          <code>{service.package}</code> · {words.resources(resourceCount)}
        </span>
      </header>
      {resources.length > 0 && (
        <TableBox label={`${name}: ${words.resources(resourceCount)}`}>
          <table className="grid-table table-fixed">
            <colgroup>
              <col className={narrow ? 'w-[92px]' : 'w-[140px]'} />
              <col />
              {!narrow && <col className="w-[42%]" />}
            </colgroup>
            <thead className="sr-only">
              <tr>
                <th scope="col">{words.columns.methods}</th>
                <th scope="col">{words.columns.path}</th>
                {!narrow && <th scope="col">{words.columns.source}</th>}
              </tr>
            </thead>
            <tbody>
              {inOrder(resources).map((resource) => (
                <tr key={`${resource.methods.join()} ${resource.path} ${resource.source}`}>
                  <td>
                    <span className="flex flex-wrap gap-1">
                      {resource.methods.map((method) => (
                        <code key={method} className={methodClass}>
                          {method}
                        </code>
                      ))}
                    </span>
                  </td>
                  <td className={pathClass}>
                    <div>{resource.path}</div>
                    {narrow && resource.source && <div className="text-faint">{resource.source}</div>}
                  </td>
                  {!narrow && <td className={`${pathClass} text-faint`}>{resource.source}</td>}
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
      {resources.length < resourceCount && (
        <p className="px-3.5 py-1.5 text-muted">{words.moreResources(resources.length, resourceCount)}</p>
      )}
    </section>
  )
}
