import { useQuery } from '@tanstack/react-query'
import type { InstallationQuery } from '@/api/generated/people'
import { licencesQuery } from '@/api/installation-queries'
import { about as words } from '@/strings/installation'
import { Card, TableBox } from '@/ui/page'
import { CouldNotLoad, Skeleton } from '@/ui/states'

type Package = { name: string; version: string; licence: string; url?: string | null; text?: string }

/** Whose work the control plane and this console are made with, as the packages tell themselves. */
export function Licences({ components }: { components: InstallationQuery['installation']['components'] }) {
  const query = useQuery(licencesQuery)
  return (
    <section aria-label={words.licences}>
      <h2 className="mb-1 text-[15px] font-semibold">{words.licences}</h2>
      <p className="mb-3 max-w-prose text-muted">{words.licencesLead}</p>
      <div className="grid grid-cols-1 items-start gap-x-4 lg:grid-cols-2">
        <Packages title={words.components} packages={components} />
        {query.data ? (
          <Packages title={words.consolePackages} packages={query.data} />
        ) : (
          <Card title={words.consolePackages} label={words.consolePackages}>
            {query.isPending ? (
              <Skeleton label={words.consoleWhat} />
            ) : (
              <CouldNotLoad what={words.consoleWhat} error={query.error} onRetry={() => query.refetch()} />
            )}
          </Card>
        )}
      </div>
    </section>
  )
}

function Packages({ title, packages }: { title: string; packages: readonly Package[] }) {
  const { component } = words
  return (
    <Card title={title} label={title} beside={<span className="nums text-muted">{packages.length}</span>}>
      <TableBox label={title}>
        <table className="grid-table">
          <thead>
            <tr>
              {[component.name, component.version, component.licence].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {packages.map(({ name, version, licence, url, text }) => (
              <tr key={`${name} ${version}`}>
                <td>
                  {url ? (
                    <a href={url} target="_blank" rel="noreferrer" className="link">
                      {name}
                    </a>
                  ) : (
                    name
                  )}
                </td>
                <td className="mono text-muted">{version}</td>
                <td className="whitespace-normal!">
                  {text ? <Text name={name} licence={licence} text={text} /> : licence}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </Card>
  )
}

/** The licence's own words, where the package carries them. */
function Text({ name, licence, text }: { name: string; licence: string; text: string }) {
  return (
    <details>
      <summary>
        {licence}
        <span className="sr-only">: {words.licenceText(name)}</span>
      </summary>
      <pre className="mono my-2 whitespace-pre-wrap break-words text-[11.5px] text-muted">{text}</pre>
    </details>
  )
}
