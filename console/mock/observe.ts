import type * as api from '../src/api/generated/schema'
import type { RuntimeRecord } from './db'

/** What can be told to the kinds of artifacts of each type of runtime. */
export const STEERABLE: Record<api.RuntimeType, Partial<Record<api.SteerableKind, api.Aspect[]>>> = {
  PY: { LISTENER: ['STATE'], CONSUMER: ['STATE'], SCHEDULE: ['STATE'], LOGGER: ['LEVEL'] },
  BI: { LISTENER: ['STATE'], LOGGER: ['LEVEL'] },
  MI: {
    API: ['TRACING', 'STATISTICS'],
    ENDPOINT: ['STATE', 'TRACING', 'STATISTICS'],
    INBOUND_ENDPOINT: ['STATE', 'TRACING', 'STATISTICS'],
    MESSAGE_PROCESSOR: ['STATE'],
    PROXY_SERVICE: ['STATE', 'TRACING', 'STATISTICS'],
    SEQUENCE: ['TRACING', 'STATISTICS'],
    TASK: ['STATE'],
    TEMPLATE: ['STATISTICS'],
    LOGGER: ['LEVEL'],
  },
}

export const LEVELS: Record<api.RuntimeType, string[]> = {
  PY: ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'],
  BI: ['DEBUG', 'INFO', 'WARN', 'ERROR'],
  MI: ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'OFF'],
}

export type Target = { kind: api.SteerableKind; name: string; package: string; aspect: api.Aspect }
export type Hosted = { kind: api.SteerableKind; name: string; package: string; label: string }

/** Everything of a runtime that can be steered. */
export function hostedBy(record: RuntimeRecord): Hosted[] {
  const steerable = STEERABLE[record.type]
  return [
    ...record.listeners.map(({ name, package: from, protocol, host, port }) => ({
      kind: 'LISTENER' as const,
      name,
      package: from,
      label: `${protocol} ${host}:${port}`,
    })),
    ...record.consumers.map(({ name, package: from, protocol, source, group }) => ({
      kind: 'CONSUMER' as const,
      name,
      package: from,
      label: `${protocol} ${source}${group ? `, group ${group}` : ''}`,
    })),
    ...record.schedules.map(({ name, package: from, trigger }) => ({
      kind: 'SCHEDULE' as const,
      name,
      package: from,
      label: trigger ?? '',
    })),
    ...record.kinds
      .filter((each) => each.kind in steerable)
      .map((each) => ({
        kind: each.kind as api.SteerableKind,
        name: each.name,
        package: each.package,
        label: each.facts[0] ? `${each.facts[0].name}: ${each.facts[0].value}` : '',
      })),
    ...record.logLevels.map(({ logger }) => ({ kind: 'LOGGER' as const, name: logger, package: '', label: '' })),
  ]
}

/** What a runtime reports of one target; undefined when it does not host it. */
export function observe(record: RuntimeRecord, target: Target): { value: string; reason: string | null } | undefined {
  if (target.kind === 'LOGGER') {
    const level = record.logLevels.find((each) => each.logger === target.name)
    return level && { value: level.level, reason: null }
  }
  const found = artifactOf(record, target)
  if (!found) return undefined
  if ('facts' in found) {
    const value =
      target.aspect === 'STATE' ? found.state : target.aspect === 'TRACING' ? found.tracing : found.statistics
    return { value: value ?? 'UNKNOWN', reason: null }
  }
  return { value: found.state, reason: found.stateReason }
}

/** Does what a command asks for, as the runtime would. */
export function obey(record: RuntimeRecord, target: Target, value: string): void {
  if (target.kind === 'LOGGER') {
    const level = record.logLevels.find((each) => each.logger === target.name)
    if (level) level.level = value
    else record.logLevels.push({ logger: target.name, level: value })
    return
  }
  const found = artifactOf(record, target)
  if (!found) return
  const state = value as api.ArtifactState
  if (!('facts' in found)) {
    found.state = state
    found.stateReason = null
  } else if (target.aspect === 'TRACING') found.tracing = state
  else if (target.aspect === 'STATISTICS') found.statistics = state
  else found.state = state
}

function artifactOf(record: RuntimeRecord, { kind, name, package: from }: Target) {
  const same = (each: { name: string; package: string }) => each.name === name && each.package === from
  if (kind === 'LISTENER') return record.listeners.find(same)
  if (kind === 'CONSUMER') return record.consumers.find(same)
  if (kind === 'SCHEDULE') return record.schedules.find(same)
  return record.kinds.find((each) => each.kind === kind && same(each))
}

/** Artifacts of every kind in the one shape that the API gives them. */
export function allArtifacts(record: RuntimeRecord): api.Artifact[] {
  const shape = (
    kind: api.ArtifactKind,
    each: { name: string; package: string; state: api.ArtifactState },
    facts: api.Fact[],
  ) => ({
    kind,
    name: each.name,
    package: each.package,
    state: each.state,
    tracing: null,
    statistics: null,
    facts,
  })
  return [
    ...record.consumers.map((each) => shape('CONSUMER', each, [{ name: 'source', value: each.source ?? '' }])),
    ...record.listeners.map((each) => shape('LISTENER', each, [{ name: 'port', value: String(each.port) }])),
    ...record.schedules.map((each) => shape('SCHEDULE', each, [{ name: 'trigger', value: each.trigger ?? '' }])),
    ...record.services.map((each) => shape('SERVICE', each, [{ name: 'basePath', value: each.basePath }])),
    ...record.kinds,
  ].sort((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1))
}
