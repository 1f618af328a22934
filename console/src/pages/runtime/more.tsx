import { strings } from '@/strings/common'
import { Button } from '@/ui/button'

type MoreProps = { shown: number; total: number; onMore: () => void; loading: boolean }

export function More({ shown, total, onMore, loading }: MoreProps) {
  if (shown >= total) return null
  return (
    <div className="nums flex items-center gap-3 border-t border-line px-3.5 py-2 text-muted">
      <Button small onClick={onMore} aria-busy={loading}>
        {strings.showMore}
      </Button>
      {strings.shown(shown, total)}
    </div>
  )
}

export const filterClass = 'h-6 w-44 rounded-md border border-edge bg-surface px-2 text-[12px]'
