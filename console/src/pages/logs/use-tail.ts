import { useEffect, useEffectEvent, useState } from 'react'
import { type LogFilter, type LogLineRowFragment, LogTailedDocument } from '@/api/generated/telemetry'
import { type LineState, openLineFrom } from '@/live/subscription'

/** Lines that are kept on the screen while they come; older ones are found by asking for them. */
export const KEPT = 1_000

type Tail = { lines: LogLineRowFragment[]; waiting: LogLineRowFragment[]; skipped: number; line: LineState | undefined }
const NOTHING: Tail = { lines: [], waiting: [], skipped: 0, line: undefined }

/** The newest first, each once, and no more than are kept. */
export function withArrived(
  known: readonly LogLineRowFragment[],
  arrived: readonly LogLineRowFragment[],
): LogLineRowFragment[] {
  const ids = new Set(known.map(({ id }) => id))
  const fresh = arrived.filter(({ id }) => !ids.has(id))
  return [...fresh.reverse(), ...known].slice(0, KEPT)
}

/** Lines as they arrive, from where the list was read; while the reader holds them, new ones wait and are counted. */
export function useTail(filter: LogFilter, after: string | undefined, held: boolean) {
  const [tail, setTail] = useState(NOTHING)
  const key = JSON.stringify(filter)
  const take = useEffectEvent((arrived: readonly LogLineRowFragment[], skipped: number) =>
    setTail((before) => ({
      ...before,
      skipped: before.skipped + skipped,
      ...(held
        ? { waiting: withArrived(before.waiting, arrived) }
        : { lines: withArrived(withArrived(before.lines, [...before.waiting].reverse()), arrived), waiting: [] }),
    })),
  )
  useEffect(() => {
    setTail(NOTHING)
    if (after === undefined) return
    return openLineFrom(
      LogTailedDocument,
      {
        filter: JSON.parse(key) as LogFilter,
        after,
        onChange: ({ lines, skipped }) => take(lines, skipped),
        onState: (line) => setTail((before) => ({ ...before, line })),
      },
      ({ arrival }) => arrival,
    )
  }, [key, after])
  useEffect(() => {
    if (!held)
      setTail((before) =>
        before.waiting.length
          ? { ...before, lines: withArrived(before.lines, [...before.waiting].reverse()), waiting: [] }
          : before,
      )
  }, [held])
  return tail
}
