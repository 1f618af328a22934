import { useInfiniteQuery } from '@tanstack/react-query'
import { groupsQuery } from '@/api/people-queries'
import { LARGEST_PAGE } from '@/api/queries'
import { groups as words } from '@/strings/access'
import { CouldNotLoad, Skeleton } from '@/ui/states'

type GroupChecksProps = { chosen: readonly string[]; onChange: (chosen: string[]) => void; disabled?: boolean }

/** Every group as a box to tick. */
export function GroupChecks({ chosen, onChange, disabled }: GroupChecksProps) {
  const query = useInfiniteQuery(groupsQuery('', null, LARGEST_PAGE))
  if (query.isPending) return <Skeleton label={words.what} rows={3} />
  if (!query.data) return <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
  return (
    <div className="max-h-52 overflow-y-auto">
      {query.data.pages[0]?.nodes.map(({ id, name, description }) => (
        <label key={id} className="flex items-start gap-2.5 py-0.5">
          <input
            type="checkbox"
            checked={chosen.includes(id)}
            disabled={disabled}
            onChange={() => onChange(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id])}
            className="mt-[3px] accent-solid"
          />
          <span>
            {name} <span className="text-[12px] text-muted">{description}</span>
          </span>
        </label>
      ))}
    </div>
  )
}
