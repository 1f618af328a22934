import type { Span } from './tree'

/** The attribute in which a span keeps what happened within it (docs: send-telemetry-from-python). */
export const HAPPENED = 'pilothouse.events'

/** What a program noted within a span. `afterMs` counts from the span's start. */
export type Happened = { name: string; afterMs: number; attributes: [string, string][] }

/** The notes of a span in their order; none where the attribute is not what we write. */
export function happenedIn(span: Span): Happened[] {
  const told = parsed(span.attributes.find(({ key }) => key === HAPPENED)?.value)
  const begunMs = Date.parse(span.at)
  return told
    .map(({ name, at_ns, attributes }) => ({
      name: text(name),
      afterMs: Math.max(0, Math.round(Number(at_ns) / 1e3 - begunMs * 1e3) / 1e3 || 0),
      attributes: Object.entries(attributes ?? {}).map(([key, value]): [string, string] => [key, text(value)]),
    }))
    .sort((one, other) => one.afterMs - other.afterMs)
}

type Told = { name?: unknown; at_ns?: unknown; attributes?: Record<string, unknown> | null }

function parsed(value: string | undefined): Told[] {
  if (!value) return []
  try {
    const told: unknown = JSON.parse(value)
    return Array.isArray(told) ? told.filter((each): each is Told => typeof each === 'object' && each !== null) : []
  } catch {
    return []
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
