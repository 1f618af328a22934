import { useQueryClient } from '@tanstack/react-query'
import { ALERTS } from '@/api/firing-query'

/** After a change everything about alerts is read again: a rule that is switched off ends alerts, and so on. */
export function useAlertsChanged(): () => void {
  const client = useQueryClient()
  return () => void client.invalidateQueries({ queryKey: [ALERTS] })
}
