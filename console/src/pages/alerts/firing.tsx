import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { BellRing } from 'lucide-react'
import { firingQuery } from '@/api/firing-query'
import { alerts as words } from '@/strings/alerts'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'

/** How many alerts fire, beside the entry of the navigation; nothing where none does, or where it is not known. */
export function FiringCount() {
  const { data: count = 0 } = useQuery(firingQuery)
  if (count === 0) return null
  return (
    // Its own words stand within it: outside of it they would widen the page on narrow screens.
    <span className="nums relative ml-auto rounded-full bg-bad-solid px-1.5 text-[11px] font-semibold leading-[17px] text-white">
      <span aria-hidden>{count}</span>
      <span className="sr-only">{words.firing(count)}</span>
    </span>
  )
}

/** The overview's line: it leads to the list. */
export function FiringLine() {
  const blocked = useBlocked()('INTEGRATION_MGT_VIEW')
  const { data: count = 0 } = useQuery({ ...firingQuery, enabled: !blocked })
  if (count === 0) return null
  return (
    <Link {...to.alerts()} className="inline-flex items-center gap-1.5 font-medium text-bad hover:underline">
      <BellRing size={14} aria-hidden />
      {words.firing(count)}
    </Link>
  )
}
