import type { AlertSilenceInput, AlertSilenceRowFragment } from '@/api/generated/alerts'
import { silences } from '@/strings/alerts'
import type { PlaceSearch } from '@/util/search'

const words = silences.form

/** A silence while it is written; instants are local, as a form holds them. */
export type SilenceDraft = {
  rule: string | undefined
  place: PlaceSearch
  /** Empty: it begins now. */
  beginsAt: string
  later: boolean
  /** Null: until `endsAt`. */
  lastsS: number | null
  endsAt: string
  reason: string
}

export const LASTS_S = [1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 604_800] as const
const USUAL_S = 3_600

export function newSilence(rule: string | undefined, place: PlaceSearch): SilenceDraft {
  return { rule, place, beginsAt: '', later: false, lastsS: USUAL_S, endsAt: '', reason: '' }
}

/** A local instant of a form in ms since 1970; undefined where there is none. */
function read(local: string): number | undefined {
  const at = Date.parse(local)
  return Number.isNaN(at) ? undefined : at
}

/** When it begins and ends, in ms since 1970, as far as it is known. */
export function timeOf(draft: SilenceDraft, now: number): { from: number | undefined; to: number | undefined } {
  const from = draft.later ? read(draft.beginsAt) : now
  if (draft.lastsS === null) return { from, to: read(draft.endsAt) }
  return { from, to: from === undefined ? undefined : from + draft.lastsS * 1_000 }
}

export type SilenceFaults = { reason?: string; from?: string; to?: string }

export function silenceFaults(draft: SilenceDraft, now: number): SilenceFaults {
  const { from, to } = timeOf(draft, now)
  const faults: SilenceFaults = {}
  if (!draft.reason.trim()) faults.reason = words.needReason
  if (from === undefined) faults.from = words.needTime
  else if (from < now) faults.from = words.past
  if (to === undefined) {
    if (draft.lastsS === null) faults.to = words.needTime
  } else if (to <= now) faults.to = words.past
  else if (from !== undefined && to <= from) faults.to = words.endsBefore
  return faults
}

/** As the API takes it; call it only without faults. */
export function silenceInput(draft: SilenceDraft, now: number): AlertSilenceInput {
  const { from, to } = timeOf(draft, now)
  return {
    rule: draft.rule ?? null,
    project: draft.place.project ?? null,
    integration: draft.place.integration ?? null,
    environment: draft.place.environment ?? null,
    reason: draft.reason.trim(),
    from: draft.later && from !== undefined ? new Date(from).toISOString() : null,
    to: new Date(to ?? now).toISOString(),
  }
}

/** Whether a silence is kept now, will be, or was. */
export function standing({ from, to }: Pick<AlertSilenceRowFragment, 'from' | 'to'>, now: number) {
  if (Date.parse(to) <= now) return 'ended'
  return Date.parse(from) > now ? 'later' : 'now'
}
