import { useNavigate } from '@tanstack/react-router'
import { useCallback } from 'react'

/** Changes some of the page's search parameters and keeps the rest; typing replaces, opening adds to the history. */
export function useSearchState<Search extends object>() {
  const navigate = useNavigate()
  return useCallback(
    (next: Partial<Search>, replace = false) =>
      void navigate({ to: '.', search: (before: object) => ({ ...before, ...next }), replace }),
    [navigate],
  )
}
