import { useQuery } from '@tanstack/react-query'
import { TriangleAlert } from 'lucide-react'
import { refusalsQuery } from '@/api/queries'
import { runtimes, refusals as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { Said } from '@/ui/said'
import { CouldNotLoad } from '@/ui/states'

/** Says on the page that heartbeats are refused; silent while none are. */
export function RefusalsNotice({ onShow }: { onShow: () => void }) {
  const { data, isError, error, refetch } = useQuery(refusalsQuery)
  const count = data?.reduce((sum, refusal) => sum + refusal.count, 0) ?? 0
  if (isError && !data) {
    return (
      <div className="mb-4 rounded-lg border border-line bg-surface">
        <CouldNotLoad what={words.what} error={error} onRetry={() => void refetch()} />
      </div>
    )
  }
  if (count === 0) return null
  return (
    <div className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border border-line bg-warn-soft px-3.5 py-2">
      <TriangleAlert size={15} className="text-warn" aria-hidden />
      <p className="min-w-0 flex-1">
        <strong className="font-semibold">{runtimes.refused(count)}.</strong>{' '}
        <span className="hidden text-muted sm:inline">
          <Said text={data?.[0]?.message} />
        </span>
      </p>
      <Button small onClick={onShow}>
        {runtimes.showRefused}
      </Button>
    </div>
  )
}
