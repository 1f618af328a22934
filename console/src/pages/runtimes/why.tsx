import type { RuntimeRowFragment } from '@/api/generated/operations'
import { changes as words } from '@/strings/steering'
import { Said } from '@/ui/said'

type Told = Pick<RuntimeRowFragment, 'status' | 'statusReason' | 'warnings' | 'changes'>

/** Whether there is anything to explain: that heartbeats arrive in time says nothing. */
export function hasWhy({ status, warnings, changes }: Told): boolean {
  return status !== 'RUNNING' || warnings.length > 0 || changes.state === 'STALLED'
}

/** Why a runtime is not well, in full: the reason of its status, a change that stalled, each warning with its fix. */
export function Why({ runtime: { status, statusReason, warnings, changes } }: { runtime: Told }) {
  const sentences = [
    ...(status === 'RUNNING' ? [] : [statusReason]),
    ...(changes.state === 'STALLED' ? [words.stalledTip(changes.reason)] : []),
    ...warnings.map((warning) => `${warning.message} ${warning.fix}`),
  ]
  return <Said text={sentences.join(' ')} />
}
