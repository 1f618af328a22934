import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleCheck, TriangleAlert } from 'lucide-react'
import type { SteerableFactsFragment } from '@/api/generated/operations'
import { mergedQuery } from '@/api/people-queries'
import { type Place, steeringQuery } from '@/api/queries'
import { kindNames, valueName } from '@/strings/steering'
import { integration as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { CouldNotLoad } from '@/ui/states'
import { to } from '@/util/paths'
import { Observed } from './steering/observed'

/** So much is told here; steering has all of it. */
const SHOWN = 5

/** Whether an environment is as it is wanted: do the copies host the same, and are they as somebody asked. */
export function InSync({ place }: { place: Place }) {
  const { project, integration, environment } = place
  const merged = useInfiniteQuery(mergedQuery(place, { kind: null, search: '', onlyDiffering: true }))
  const steering = useInfiniteQuery(steeringQuery(place, { kind: null, search: '', onlyDiffering: true }))
  const forms = merged.data?.pages[0]?.differing
  const facts = steering.data?.pages[0]
  const differing = facts?.artifacts.nodes ?? []
  if (steering.isError && !steering.data)
    return <CouldNotLoad what={words.syncWhat} error={steering.error} onRetry={() => void steering.refetch()} />
  // Its line is kept free, so that nothing below it jumps.
  if (forms === undefined || !facts) return <div className="mt-1.5 h-[21px]" />
  return (
    // biome-ignore lint/a11y/useSemanticElements: one for each environment: as landmarks they could not be told apart
    <div role="group" aria-label={words.sync} className="mt-1.5">
      <p className="flex flex-wrap gap-x-5 gap-y-0.5">
        <Link
          {...to.integrationArtifacts(project, integration, { environment, ...(forms > 0 && { differing: true }) })}
        >
          <Mark well={forms === 0}>{forms === 0 ? words.alike : words.unlike(forms)}</Mark>
        </Link>
        <Link {...to.steering(project, integration, { environment, ...(facts.differing > 0 && { differing: true }) })}>
          <Mark well={facts.differing === 0}>
            {facts.differing === 0 ? words.asWanted : words.notAsWanted(facts.differing)}
          </Mark>
        </Link>
      </p>
      {differing.length > 0 && (
        <ul className="mt-1 space-y-1">
          {differing.slice(0, SHOWN).map((artifact) => (
            <Wanted key={`${artifact.kind} ${artifact.package} ${artifact.name}`} artifact={artifact} place={place} />
          ))}
          {differing.length > SHOWN && (
            <li>
              <Link {...to.steering(project, integration, { environment, differing: true })} className="link nums">
                {words.moreDiffering(facts.differing - SHOWN)}
              </Link>
            </li>
          )}
        </ul>
      )}
    </div>
  )
}

function Mark({ well, children }: { well: boolean; children: string }) {
  const Icon = well ? CircleCheck : TriangleAlert
  return (
    <span className={`inline-flex items-center gap-1 hover:underline ${well ? 'text-ok' : 'font-medium text-warn'}`}>
      <Icon size={13} aria-hidden />
      {children}
    </span>
  )
}

/** What is asked of an artifact, by whom and since when, against what its runtimes report. */
function Wanted({ artifact, place }: { artifact: SteerableFactsFragment; place: Place }) {
  const { kind, name, aspects, missingOn } = artifact
  const told = aspects.filter(({ inSync }) => !inSync)
  const { project, integration, environment } = place
  return (
    <li className="grid gap-x-4 border-l-2 border-line pl-2.5 md:grid-cols-[minmax(0,260px)_minmax(0,1fr)]">
      <span className="min-w-0">
        <span className="text-muted">{kindNames[kind][0]}</span>{' '}
        <Link
          {...to.steering(project, integration, { environment, kind, search: name })}
          className="mono link [overflow-wrap:anywhere]"
        >
          {name}
        </Link>
        {missingOn.length > 0 && (
          <span className="block text-[12px] text-warn">{words.missingOn(missingOn.length)}</span>
        )}
      </span>
      <span className="min-w-0">
        {told.map(({ aspect, desired, observed }) => (
          <span key={aspect} className="grid gap-x-3 sm:grid-cols-2">
            <span className="text-muted">
              {desired ? (
                <>
                  {words.wanted} <strong className="font-medium text-ink">{valueName(desired.value)}</strong>{' '}
                  {words.wantedBy(desired.author)}, <Age at={desired.setAt} ago />
                </>
              ) : (
                words.nothingWanted
              )}
            </span>
            <Observed observed={observed} />
          </span>
        ))}
      </span>
    </li>
  )
}
