import { strings } from '@/strings/common'
import { Button } from './button'

type MoreProps = { shown: number; total: number; onMore: () => void; loading?: boolean; failed?: string | false }

/** How much of a list is shown, and the way to more of it. */
export function More({ shown, total, onMore, loading = false, failed }: MoreProps) {
  if (shown >= total) return null
  return (
    <div className="nums flex items-center gap-3 border-t border-line px-3.5 py-2 text-muted">
      <Button small onClick={onMore} aria-busy={loading}>
        {strings.showMore}
      </Button>
      {strings.shown(shown, total)}
      {failed && <span className="text-bad">{failed}</span>}
    </div>
  )
}
