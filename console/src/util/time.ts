const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A span in one or two units: 8 s, 3 min, 2 h 5 min, 4 d 3 h, 61 d. */
export function formatSpan(ms: number): string {
  const span = Math.max(0, ms)
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`
  if (span < DAY) return twoUnits(span, HOUR, 'h', MINUTE, 'min')
  if (span < 10 * DAY) return twoUnits(span, DAY, 'd', HOUR, 'h')
  return `${Math.floor(span / DAY)} d`
}

function twoUnits(span: number, unit: number, name: string, part: number, partName: string): string {
  const rest = Math.floor((span % unit) / part)
  return rest === 0 ? `${Math.floor(span / unit)} ${name}` : `${Math.floor(span / unit)} ${name} ${rest} ${partName}`
}

const local = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' })
const zone = new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
const clock = new Intl.DateTimeFormat('sv-SE', { timeStyle: 'medium' })

/** Local time with its zone, then UTC: what stands behind every relative time. */
export function exactTime(iso: string): string {
  const at = new Date(iso)
  const name = zoneAt(at)
  const utc = at.toISOString().slice(0, 19).replace('T', ' ')
  return name === 'UTC' ? `${utc} UTC` : `${local.format(at)} ${name} · ${utc} UTC`
}

/** The zone's names by its offsets, summer and winter: asking for one takes longer than all else that a time needs. */
const zones = new Map<number, string>()

function zoneAt(at: Date): string {
  const offset = at.getTimezoneOffset()
  let name = zones.get(offset)
  if (name === undefined) {
    name = zone.formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ?? ''
    zones.set(offset, name)
  }
  return name
}

/** hh:mm:ss in local time. */
export function clockTime(at: number): string {
  return clock.format(at)
}
