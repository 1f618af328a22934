import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleCheck, TriangleAlert } from 'lucide-react'
import type { TallyQuery, Trouble } from '@/api/generated/operations'
import { tallyQuery } from '@/api/queries'
import { drift as words } from '@/strings/drift'
import { TROUBLES } from '@/util/choices'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'

type Tally = TallyQuery['notAsWanted']

export const countOf = (tally: Tally, trouble: Trouble): number =>
  ({ DIFFERING: tally.differing, FAILED: tally.failed, UNREACHED: tally.unreached })[trouble]

/** How many places are not as wanted, of all or of a project. */
export function useTally(project?: string): Tally | undefined {
  const blocked = useBlocked()('INTEGRATION_MGT_VIEW')
  return useQuery({ ...tallyQuery(project ? { project } : {}), enabled: !blocked }).data
}

/** What is not as wanted, by what is wrong; each count opens the list of just those. */
export function TallyLine({ tally, project }: { tally: Tally; project?: string }) {
  if (tally.places === 0)
    return (
      <span className="inline-flex items-center gap-1 text-ok">
        <CircleCheck size={13} aria-hidden />
        {words.asWanted}
      </span>
    )
  return TROUBLES.filter((trouble) => countOf(tally, trouble) > 0).map((trouble) => (
    <Link
      key={trouble}
      {...to.drift({ ...(project && { project }), trouble })}
      className="nums inline-flex items-center gap-1 font-medium text-warn hover:underline"
    >
      <TriangleAlert size={13} aria-hidden />
      {words.counted[trouble](countOf(tally, trouble))}
    </Link>
  ))
}

/** The same of a project, as soon as it is known. */
export function ProjectTally({ project }: { project: string }) {
  const tally = useTally(project)
  return tally && tally.places > 0 && <TallyLine tally={tally} project={project} />
}
