import { Link } from '@tanstack/react-router'
import type { PlaceNamesFragment } from '@/api/generated/people'
import { place as words } from '@/strings/place'
import { CriticalBadge } from '@/ui/status'
import { to } from '@/util/paths'

/** A scope in words, for names of buttons. */
export function placeWords({ project, integration, environment }: PlaceNamesFragment): string {
  const where = [project?.displayName, integration?.displayName].filter(Boolean).join(' / ')
  const in_ = environment && words.inEnvironment(environment.displayName)
  return [where || (in_ ? '' : words.everywhere), in_].filter(Boolean).join(' ')
}

/** A scope with links to what it names. */
export function PlaceText({ place: { project, integration, environment } }: { place: PlaceNamesFragment }) {
  if (!project && !environment) return <span>{words.everywhere}</span>
  return (
    <span className="inline-flex flex-wrap items-center gap-x-1">
      {project && (
        <Link {...to.project(project.handle)} className="link">
          {project.displayName}
        </Link>
      )}
      {project && integration && (
        <>
          <span className="text-faint">/</span>
          <Link {...to.integration(project.handle, integration.handle)} className="link">
            {integration.displayName}
          </Link>
        </>
      )}
      {environment && (
        <>
          <span className="text-muted">{words.inEnvironment('')}</span>
          <Link {...to.runtimes(environment.handle)} className="link">
            {environment.displayName}
          </Link>
          {environment.critical && <CriticalBadge />}
        </>
      )}
    </span>
  )
}
