import { useQueryClient } from '@tanstack/react-query'

/** Who may do what has changed: everything that is decided by it is read again, what the viewer may do as well. */
export function useAccessChanged(): () => void {
  const client = useQueryClient()
  return () => {
    for (const key of ['people', 'viewer', 'may', 'counts']) void client.invalidateQueries({ queryKey: [key] })
  }
}
