import { Link } from '@tanstack/react-router'
import { LoaderCircle } from 'lucide-react'
import { useFirstHeartbeat } from '@/live/use-first-heartbeat'
import { addRuntime as words } from '@/strings/runtimes'
import { buttonClass } from '@/ui/button'
import { Status } from '@/ui/status'
import { to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'

/** A live check that turns green when it worked. */
export function FirstHeartbeat({ keyId }: { keyId: string }) {
  const runtime = useFirstHeartbeat(keyId)
  const worked = runtime?.status === 'RUNNING'
  return (
    <div
      role="status"
      className={`mt-4 flex min-h-12 flex-wrap items-center gap-x-3 gap-y-1 rounded-md border px-3 py-2 ${worked ? 'border-ok bg-ok-soft' : 'border-line bg-sunken'}`}
    >
      {runtime ? (
        <>
          <p className="min-w-0 flex-1 font-medium">
            {words.got(runtimeLabel(runtime))} <Status status={runtime.status} />
          </p>
          <Link {...to.runtime(runtime.id)} className={buttonClass('plain', true)}>
            {words.open}
          </Link>
        </>
      ) : (
        <>
          <LoaderCircle size={15} className="animate-spin text-muted" aria-hidden />
          <div className="min-w-0 flex-1">
            <p className="font-medium">{words.waiting}</p>
            <p className="text-[12px] text-muted">{words.waitingHelp}</p>
          </div>
        </>
      )}
    </div>
  )
}
