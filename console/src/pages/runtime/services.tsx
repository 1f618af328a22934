import type { ServiceFactsFragment } from '@/api/generated/operations'
import { runtime as words } from '@/strings/runtimes'
import { Card, TableBox } from '@/ui/page'
import { Empty } from '@/ui/states'
import { State } from '@/ui/status'
import type { RuntimeFacts } from './index'
import { filterClass, More } from './more'

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
        <input
          type="search"
          data-search
          aria-label={words.filterServices}
          placeholder={words.filterShort}
          value={filter}
          onChange={(event) => onFilter(event.target.value)}
          className={filterClass}
        />
      }
    >
      {nodes.length === 0 ? (
        <Empty title={words.noServices}>{words.noServicesText}</Empty>
      ) : shown.length === 0 ? (
        <Empty title={words.noMatch} />
      ) : (
        shown.map((service) => (
          <ServiceEntry key={`${service.package} ${service.name} ${service.basePath}`} service={service} />
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

function ServiceEntry({ service }: { service: ServiceFactsFragment }) {
  const { name, basePath, listeners, resources, resourceCount } = service
  return (
    <section aria-label={name} className="border-b border-line last:border-b-0">
      <header className="flex flex-wrap items-center gap-x-3 px-3.5 pb-1 pt-2">
        <h3>{name}</h3>
        <code className="text-muted">{basePath}</code>
        <State state={service.state} />
        <span className="ml-auto text-[12px] text-faint">
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
          <table className="grid-table">
            <thead className="sr-only">
              <tr>
                <th scope="col">{words.columns.methods}</th>
                <th scope="col">{words.columns.path}</th>
                <th scope="col">{words.columns.source}</th>
              </tr>
            </thead>
            <tbody>
              {resources.map((resource) => (
                <tr key={`${resource.methods.join()} ${resource.path}`}>
                  <td className="mono w-28 text-muted">{resource.methods.join(' ')}</td>
                  <td className="mono">{resource.path}</td>
                  <td className="mono text-right text-faint">{resource.source}</td>
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
