import { strings } from '@/strings/common'

/** What to look for in the control plane's log about something that failed. */
export function Reference({ id }: { id: string | undefined }) {
  if (!id) return null
  return (
    <span className="whitespace-nowrap text-faint">
      {strings.reference} <code>{id}</code>
    </span>
  )
}
