import type { RuntimeRowFragment } from '@/api/generated/operations'
import { home } from '@/strings/tenancy'
import { to } from '@/util/paths'

type Told = Pick<
  RuntimeRowFragment,
  'id' | 'runtimeId' | 'status' | 'lastHeartbeatAt' | 'project' | 'integration' | 'environment' | 'changes'
>
type Link = ReturnType<(typeof to)[keyof typeof to]> & { hash?: string }
/** `logs` is only for those who may see log lines. */
export type Step = { name: string; link: Link; logs?: true }

/** So much of what a runtime said before its last heartbeat is worth a look, and so much after it may still have arrived. */
const BEFORE_MS = 15 * 60_000
const AFTER_MS = 60_000

const moment = (at: string, offsetMs: number) => new Date(Date.parse(at) + offsetMs).toISOString()

/** Where to look next, the nearest first: what a silent one said last, what became of a change that stalled. */
export function stepsOf(row: Told): Step[] {
  const { project, integration, environment, lastHeartbeatAt: last } = row
  const steps: Step[] = []
  if (row.status !== 'RUNNING') {
    if (last) {
      const time = { from: moment(last, -BEFORE_MS), to: moment(last, AFTER_MS) }
      const search = { runtime: row.runtimeId, environment: environment.handle, ...time }
      steps.push({
        name: home.steps.silence,
        link: to.integrationLogs(project.handle, integration.handle, search),
        logs: true,
      })
    }
    steps.push({ name: home.steps.events, link: to.runtimeEvents(row.id) })
  }
  if (row.changes.state === 'STALLED') {
    steps.push({ name: home.steps.commands, link: { ...to.runtime(row.id), hash: 'commands' } })
    if (row.status === 'RUNNING')
      steps.push({
        name: home.steps.steer,
        link: to.steering(project.handle, integration.handle, { environment: environment.handle, differing: true }),
      })
  }
  return steps
}
