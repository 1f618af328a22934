import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { InstallationDocument, type InstallationQuery } from '@/api/generated/people'
import { installationQuery } from '@/api/installation-queries'
import { viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { about as words } from '@/strings/installation'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { CopyGraphql, CopyIconButton } from '@/ui/copy'
import { LinkButton } from '@/ui/link-button'
import { Card, Facts, PageHead, TableBox } from '@/ui/page'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { Licences } from './licences'

type Installed = InstallationQuery['installation']

/** What runs here, since when, with what; and whose work it is made with. */
export function AboutPage() {
  const query = useQuery(installationQuery)
  const blocked = useBlocked()('ENVIRONMENT_MGT_MANAGE')
  return (
    <>
      <PageHead
        title={words.title}
        actions={
          <>
            <CopyGraphql document={InstallationDocument} variables={{}} />
            <LinkButton link={to.settings()} blocked={blocked}>
              {words.settings}
            </LinkButton>
          </>
        }
      />
      {query.isPending ? (
        <Skeleton label={words.what} rows={10} />
      ) : query.isError ? (
        <CouldNotLoad what={words.what} error={query.error} onRetry={() => query.refetch()} />
      ) : (
        <>
          <Plane installed={query.data} />
          {query.data.replicas && <Processes replicas={query.data.replicas} version={query.data.version} />}
          <Licences components={query.data.components} />
        </>
      )}
    </>
  )
}

function Plane({ installed }: { installed: Installed }) {
  const { controlPlane } = useSuspenseQuery(viewerQuery).data
  const { version, startedAt, python, platform, database, databaseVersion, telemetryStore, replicaCount } = installed
  const { facts } = words
  return (
    <Card title={words.plane} label={words.plane}>
      <Facts
        facts={[
          [facts.version, <code key="version">{version}</code>],
          [facts.up, <Age key="up" at={startedAt} />],
          [
            facts.urls,
            <span key="url" className="inline-flex max-w-full items-center gap-1">
              <code className="min-w-0 break-all">{controlPlane.runtimeUrl}</code>
              <CopyIconButton text={controlPlane.runtimeUrl} label={strings.copyWhat(facts.urls)} />
            </span>,
          ],
          [facts.database, [words.databases[database] ?? database, databaseVersion].filter(Boolean).join(' ')],
          [facts.telemetry, words.stores[telemetryStore] ?? telemetryStore],
          [
            facts.replicas,
            <span key="replicas" className="nums">
              {replicaCount}
            </span>,
          ],
          [facts.python, python],
          [facts.platform, platform],
        ]}
      />
    </Card>
  )
}

type ProcessesProps = { replicas: NonNullable<Installed['replicas']>; version: string }

/** Who serves; one of another version stands out. */
function Processes({ replicas, version }: ProcessesProps) {
  const { process } = words
  return (
    <Card title={words.processes} label={words.processes}>
      <TableBox label={words.processes}>
        <table className="grid-table">
          <thead>
            <tr>
              {[process.host, process.number, process.version, process.since].map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {replicas.map((each) => (
              <tr key={`${each.host} ${each.process} ${each.startedAt}`}>
                <td>
                  <code>{each.host}</code> {each.answers && <Badge text={words.answers} />}
                </td>
                <td className="nums">{each.process}</td>
                <td>
                  <code>{each.version}</code>{' '}
                  {each.version !== version && <Badge text={words.otherVersion} tip={words.otherVersionTip} />}
                </td>
                <td>
                  <Age at={each.startedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </Card>
  )
}
