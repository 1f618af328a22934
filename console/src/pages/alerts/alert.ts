import type { Limits } from '@/api/alerts-queries'
import type { AlertRowFragment, NotificationState, ToldFragment } from '@/api/generated/alerts'
import { alerts as words } from '@/strings/alerts'
import { to } from '@/util/paths'

/** What became of telling one channel, as it stands now. */
export type Told = { channel: string; state: NotificationState; attempts: number; reason: string | null }

/** The last that was said to each channel. The notifications come newest first. */
export function toldOf(notifications: readonly ToldFragment[]): Told[] {
  const last = new Map<string, Told>()
  for (const { channel, state, attempts, reason } of notifications) {
    const key = channel?.id ?? ''
    if (!last.has(key)) last.set(key, { channel: channel?.name ?? words.goneChannel, state, attempts, reason })
  }
  return [...last.values()]
}

export function toldWords({ channel, state, attempts }: Told): string {
  return words.told[state](channel, attempts)
}

/** New rows wait while somebody points at the list; what is known changes in its place. */
export function heldBack<Row extends { id: string }>(rows: readonly Row[], known: ReadonlySet<string> | undefined) {
  if (!known) return { shown: [...rows], held: 0 }
  const shown = rows.filter(({ id }) => known.has(id))
  return { shown, held: rows.length - shown.length }
}

const GRAVITY = { CRITICAL: 0, WARNING: 1, INFO: 2 } as const

/** The worst first; among equals the newest, as they come. */
export function gravestFirst<Row extends Pick<AlertRowFragment, 'severity'>>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => GRAVITY[a.severity] - GRAVITY[b.severity])
}

const USUAL_WINDOW_S = 300
const ROUND_MS = 60_000

/** From before the condition began to hold until it ended; without an end while it has not. */
export function momentOf(
  { since, resolvedAt }: Pick<AlertRowFragment, 'since' | 'resolvedAt'>,
  windowS: number,
): { from: string; to?: string } {
  const before = Date.parse(since) - Math.max(windowS, USUAL_WINDOW_S) * 1_000
  const from = new Date(before).toISOString()
  return resolvedAt ? { from, to: new Date(Date.parse(resolvedAt) + ROUND_MS).toISOString() } : { from }
}

type Link = ReturnType<(typeof to)[keyof typeof to]>
/** `blocked` says why it is not open to the viewer. */
export type Look = { name: string; link: Link; blocked: string | undefined }
type Blocked = { [what in 'runtimes' | 'logs' | 'insights' | 'secrets']: string | undefined }

/** Where to look about an alert, the nearest first. */
export function looksOf(alert: AlertRowFragment, rule: Limits | undefined, blocked: Blocked): Look[] {
  const { project, integration, environment, runtime } = alert
  const time = momentOf(alert, rule?.windowS ?? USUAL_WINDOW_S)
  const scope = environment ? { environment: environment.handle } : {}
  const looks: Look[] = []
  if (runtime) {
    looks.push({ name: words.looks.runtime, link: to.runtime(runtime.id), blocked: blocked.runtimes })
    looks.push({ name: words.looks.events, link: to.runtimeEvents(runtime.id), blocked: blocked.runtimes })
  }
  if (rule?.condition === 'EXPIRING' && project) {
    looks.push({
      name: words.looks.secrets,
      link: integration ? to.integrationSecrets(project.handle, integration.handle) : to.secrets(),
      blocked: blocked.secrets,
    })
  }
  const found = rule?.condition
  if (found === 'ERROR_RATE' || found === 'LATENCY' || found === 'NO_TRAFFIC') {
    const search = { ...scope, ...time }
    const elsewhere = { ...search, ...(project ? { project: project.handle } : {}) }
    const failing = found === 'ERROR_RATE' ? { failed: true as const } : {}
    const here = project && integration
    looks.push({
      name: words.looks.metrics,
      link: here ? to.integrationMetrics(project.handle, integration.handle, search) : to.metrics(elsewhere),
      blocked: blocked.insights,
    })
    if (found !== 'NO_TRAFFIC')
      looks.push({
        name: found === 'ERROR_RATE' ? words.looks.failedTraces : words.looks.traces,
        link: here
          ? to.integrationTraces(project.handle, integration.handle, { ...search, ...failing })
          : to.traces({ ...elsewhere, ...failing }),
        blocked: blocked.insights,
      })
  }
  if (rule?.condition !== 'EXPIRING') {
    const failing = rule?.condition === 'ERROR_RATE'
    const search = {
      ...scope,
      ...time,
      ...(runtime ? { runtime: runtime.runtimeId } : {}),
      ...(failing ? { level: 'ERROR' as const } : {}),
    }
    looks.push({
      name: failing ? words.looks.errors : words.looks.logs,
      link:
        project && integration
          ? to.integrationLogs(project.handle, integration.handle, search)
          : to.logs({ ...search, ...(project ? { project: project.handle } : {}) }),
      blocked: blocked.logs,
    })
  }
  return looks
}
