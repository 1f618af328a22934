import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { environmentsQuery, integrationsQuery, LARGEST_PAGE, projectsQuery } from '@/api/queries'
import { place as words } from '@/strings/place'
import { Choose } from '@/ui/choose'
import type { PlaceSearch } from '@/util/search'

type PlacePickerProps = { place: PlaceSearch; onChange: (place: PlaceSearch) => void }

/** Project, then integration, and an environment; what is left open is not limited. */
export function PlacePicker({ place: { project, integration, environment }, onChange }: PlacePickerProps) {
  const projects = useInfiniteQuery(projectsQuery('', LARGEST_PAGE))
  const integrations = useInfiniteQuery({
    ...integrationsQuery(project ?? null, '', LARGEST_PAGE),
    enabled: project !== undefined,
  })
  const environments = useQuery(environmentsQuery)
  const names = (rows: { handle: string; displayName: string }[] | undefined) =>
    (rows ?? []).map(({ handle, displayName }) => [handle, displayName] as const)
  return (
    <span className="flex flex-wrap items-center gap-2">
      <Choose
        label={words.project}
        all={words.allProjects}
        value={project}
        onChange={(next) => onChange({ project: next, integration: undefined, environment })}
        choices={names(projects.data?.pages[0]?.nodes)}
      />
      {project && (
        <Choose
          label={words.integration}
          all={words.allIntegrations}
          value={integration}
          onChange={(next) => onChange({ project, integration: next, environment })}
          choices={names(integrations.data?.pages[0]?.nodes)}
        />
      )}
      <Choose
        label={words.environment}
        all={words.allEnvironments}
        value={environment}
        onChange={(next) => onChange({ project, integration, environment: next })}
        choices={names(environments.data?.nodes)}
      />
    </span>
  )
}

/** As the API takes it. */
export const placeInput = ({ project, integration, environment }: PlaceSearch) => ({
  project: project ?? null,
  integration: integration ?? null,
  environment: environment ?? null,
})
