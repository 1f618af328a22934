import { useParams } from '@tanstack/react-router'

export type Scope = { project: string | undefined; integration: string | undefined }

/** Where in the tree the page stands, as its address says. */
export function useScope(): Scope {
  const params = useParams({ strict: false })
  return { project: params.project, integration: params.integration }
}
