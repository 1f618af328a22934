import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { environmentsQuery, integrationsQuery, LARGEST_PAGE, projectsQuery } from '@/api/queries'
import type { PlaceSearch } from '@/util/search'

/** What the handles of a place are called; the handle itself until that is known. */
export function usePlaceNames({ project, integration, environment }: PlaceSearch) {
  const projects = useInfiniteQuery(projectsQuery('', LARGEST_PAGE))
  const integrations = useInfiniteQuery({
    ...integrationsQuery(project ?? null, '', LARGEST_PAGE),
    enabled: project !== undefined,
  })
  const environments = useQuery(environmentsQuery)
  const named = (rows: { handle: string; displayName: string }[] | undefined, handle: string | undefined) =>
    handle && (rows?.find((each) => each.handle === handle)?.displayName ?? handle)
  return {
    project: named(projects.data?.pages[0]?.nodes, project),
    integration: named(integrations.data?.pages[0]?.nodes, integration),
    environment: named(environments.data?.nodes, environment),
  }
}
