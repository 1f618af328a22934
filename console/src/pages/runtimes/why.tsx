import type { RuntimeRowFragment } from '@/api/generated/operations'
import { Said } from '@/ui/said'

type Told = Pick<RuntimeRowFragment, 'status' | 'statusReason' | 'warnings'>

/** Whether there is anything to explain: that heartbeats arrive in time says nothing. */
export function hasWhy({ status, warnings }: Told): boolean {
  return status !== 'RUNNING' || warnings.length > 0
}

/** Why a runtime is not well, in full: the reason of its status, then each warning with its fix. */
export function Why({ runtime: { status, statusReason, warnings } }: { runtime: Told }) {
  const sentences = [
    ...(status === 'RUNNING' ? [] : [statusReason]),
    ...warnings.map((warning) => `${warning.message} ${warning.fix}`),
  ]
  return <Said text={sentences.join(' ')} />
}
