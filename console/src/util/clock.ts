/**
 * Ages are told by the control plane's clock: a laptop that is three minutes off would otherwise show
 * every heartbeat as three minutes old. The Date header is in whole seconds, so small differences are noise.
 */
const NOISE_MS = 2_000
let skewMs = 0

export function learnSkew(dateHeader: string | null, received: number = Date.now()): void {
  const served = dateHeader ? Date.parse(dateHeader) : Number.NaN
  if (Number.isNaN(served)) return
  const difference = served - received
  skewMs = Math.abs(difference) > NOISE_MS ? difference : 0
}

export function serverNow(): number {
  return Date.now() + skewMs
}
