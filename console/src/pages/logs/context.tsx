import { useQuery } from '@tanstack/react-query'
import type { LogLineRowFragment } from '@/api/generated/telemetry'
import { logContextQuery } from '@/api/telemetry-queries'
import { logs as words } from '@/strings/logs'
import { Dialog } from '@/ui/dialog'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { LogLine } from './line'

const AROUND = 20

/** What the same runtime said before and after a line. */
export function ContextDialog({ line, onClose }: { line: LogLineRowFragment; onClose: () => void }) {
  const query = useQuery(logContextQuery(line.id, AROUND))
  const context = query.data
  return (
    <Dialog open wide onOpenChange={(open) => !open && onClose()} title={words.context}>
      {query.isPending ? (
        <Skeleton label={words.what} />
      ) : query.isError || !context ? (
        <CouldNotLoad what={words.what} error={query.error} onRetry={() => query.refetch()} />
      ) : (
        <ol aria-label={words.context} className="mx-5 mb-5 mt-3 rounded-lg border border-line">
          {[...context.before, context.line, ...context.after].map((each) => (
            <LogLine key={each.id} line={each} marked={each.id === context.line.id} onTrace={() => undefined} />
          ))}
        </ol>
      )}
    </Dialog>
  )
}
