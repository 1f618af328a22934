import type { RuntimeType } from '@/api/generated/operations'

/** The log levels that runtimes of a type know, the most talkative first. */
export const LEVELS = {
  PY: ['DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'],
  BI: ['DEBUG', 'INFO', 'WARN', 'ERROR'],
  MI: ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL', 'OFF'],
} as const satisfies Record<RuntimeType, string[]>

/** The levels that all of these types know. */
export function levelsOf(types: Iterable<RuntimeType>): readonly string[] {
  let common: readonly string[] = LEVELS.MI
  for (const type of types) common = common.filter((level) => (LEVELS[type] as readonly string[]).includes(level))
  return common
}
