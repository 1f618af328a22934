type Told = { status: string; lastHeartbeatAt: string | null }

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** A time with its zone, as addresses and the API take it. */
export type Time = { from: string; to?: string }

const instant = (ms: number) => new Date(ms).toISOString()

/**
 * The hour that tells most of a runtime: the last one of what runs; of a silent one that before its last heartbeat, and the
 * minute after it, in which lines may still have arrived. In whole minutes, so that it does not change with each look.
 */
export function latelyOf({ status, lastHeartbeatAt }: Told, nowMs: number): Time {
  const end = status === 'RUNNING' || !lastHeartbeatAt ? nowMs : Date.parse(lastHeartbeatAt)
  const minute = Math.floor(end / MINUTE_MS) * MINUTE_MS
  const from = instant(minute - HOUR_MS)
  return status === 'RUNNING' || !lastHeartbeatAt ? { from } : { from, to: instant(minute + 2 * MINUTE_MS) }
}
