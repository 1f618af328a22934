import { LoaderCircle, OctagonAlert, Radio } from 'lucide-react'
import { changes as words } from '@/strings/steering'
import { withoutMarks } from '@/util/code-spans'

type Changes = { state: 'IN_SYNC' | 'CHANGING' | 'STALLED'; reason: string }

/** Stands beside a status: it is well, and yet not as it was asked to be. Says nothing while all is as asked. */
export function StalledMark({ changes: { state, reason }, word = false }: { changes: Changes; word?: boolean }) {
  if (state !== 'STALLED') return null
  const text = words.stalledTip(reason)
  return (
    <span className="inline-flex items-center gap-1 font-medium text-warn" data-tip={text}>
      {word ? (
        <OctagonAlert size={13} aria-hidden />
      ) : (
        <OctagonAlert size={13} role="img" aria-label={withoutMarks(text)} />
      )}
      {word && words.stalled}
    </span>
  )
}

/** The same on a page of its own, where there is room to say that a change is under way. */
export function ChangeMark({ changes }: { changes: Changes }) {
  if (changes.state === 'CHANGING') {
    return (
      <span className="inline-flex items-center gap-1 text-link" data-tip={changes.reason}>
        <LoaderCircle size={13} className="animate-spin" aria-hidden />
        {words.changing}
      </span>
    )
  }
  return <StalledMark changes={changes} word />
}

/** A quiet sign that a runtime holds its push channel. */
export function ChannelSign({ connected }: { connected: boolean }) {
  if (!connected) return null
  return (
    <span data-tip={words.channelTip} className="inline-flex text-faint">
      <Radio size={12} role="img" aria-label={words.channel} />
    </span>
  )
}
