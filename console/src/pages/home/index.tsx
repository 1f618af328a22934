import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { environmentsQuery, organizationQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { drift as driftWords } from '@/strings/drift'
import { runtimes } from '@/strings/runtimes'
import { projects, home as words } from '@/strings/tenancy'
import { buttonClass } from '@/ui/button'
import { Card, PageHead, TableBox } from '@/ui/page'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { Counts, CriticalBadge } from '@/ui/status'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { TallyLine, useTally } from '../drift/tally'
import { NotWell } from './not-well'

const FiringLine = lazily(async () => (await import('../alerts/firing')).FiringLine)

/** What an operator wants to know first: what is not well, and why. */
export function HomePage() {
  const organization = useQuery(organizationQuery)
  return (
    <>
      <PageHead title={words.title} note={<FiringLine />} />
      {organization.isPending ? (
        <Skeleton label={words.what} rows={2} />
      ) : organization.isError && !organization.data ? (
        <CouldNotLoad what={words.what} error={organization.error} onRetry={() => void organization.refetch()} />
      ) : (
        <>
          <dl className="mb-4 flex flex-wrap gap-px overflow-hidden rounded-lg border border-line bg-line">
            <Figure
              name={words.counts.runtimes}
              link={<Link {...to.runtimes()}>{organization.data.runtimes.total}</Link>}
            >
              <Counts
                counts={organization.data.runtimes}
                empty={runtimes.noRuntimes}
                link={(status) => to.runtimes(undefined, status)}
              />
            </Figure>
            <Figure
              name={words.counts.projects}
              link={<Link {...to.projects()}>{organization.data.projectCount}</Link>}
            />
            <Figure
              name={words.counts.integrations}
              link={<Link {...to.projects()}>{organization.data.integrationCount}</Link>}
            />
            <Wanted />
          </dl>
          <NotWell counts={organization.data.runtimes} />
        </>
      )}
      <Environments />
    </>
  )
}

/** Where copies differ, artifacts failed or changes were not carried out; nothing until it is known. */
function Wanted() {
  const tally = useTally()
  return (
    tally && (
      <Figure name={driftWords.figure} link={<Link {...to.drift()}>{tally.places}</Link>}>
        <TallyLine tally={tally} />
      </Figure>
    )
  )
}

function Figure({ name, link, children }: { name: string; link: ReactNode; children?: ReactNode }) {
  return (
    <div className="min-w-32 flex-1 bg-surface px-3.5 py-2.5">
      <dt className="text-[12px] text-muted">{name}</dt>
      <dd className="flex flex-wrap items-baseline gap-x-4">
        <span className="nums text-[20px] font-semibold leading-7 hover:underline">{link}</span>
        {children}
      </dd>
    </div>
  )
}

/** The page of environments has the rest. */
const SHOWN = 20

function Environments() {
  const query = useQuery(environmentsQuery)
  const all = query.data?.nodes.length ?? 0
  return (
    <Card
      title={words.byEnvironment}
      label={words.byEnvironment}
      beside={all > SHOWN && <span className="nums text-muted">{strings.shown(SHOWN, all)}</span>}
      actions={
        <Link {...to.environments()} className={buttonClass('plain', true)}>
          {words.allEnvironments}
        </Link>
      }
    >
      {query.isPending ? (
        <Skeleton label={runtimes.environments} rows={3} />
      ) : query.isError && !query.data ? (
        <CouldNotLoad what={runtimes.environments} error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <TableBox label={words.byEnvironment}>
          <table className="grid-table">
            <tbody>
              {query.data.nodes.slice(0, SHOWN).map(({ handle, displayName, critical, runtimes: counts }) => (
                <tr key={handle}>
                  <td className="w-64">
                    <span className="inline-flex items-center gap-2">
                      <Link {...to.runtimes(handle)} data-row className="link font-medium">
                        {displayName}
                      </Link>
                      {critical && <CriticalBadge />}
                    </span>
                  </td>
                  <td>
                    <Counts
                      counts={counts}
                      empty={projects.noRuntimes}
                      link={(status) => to.runtimes(handle, status)}
                    />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      )}
    </Card>
  )
}
