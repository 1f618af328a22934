import type { LogLineRowFragment } from '@/api/generated/telemetry'
import { logs as words } from '@/strings/logs'
import { runtimeLabel } from '@/util/runtime-label'

/** Facts of a line that may be columns as attributes are; an attribute of the same name stands behind them. */
const FACTS: Record<string, (line: LogLineRowFragment) => string | null | undefined> = {
  logger: ({ logger }) => logger,
  runtime: ({ origin }) => (origin.runtime ? runtimeLabel(origin.runtime) : origin.runtimeId),
  traceId: ({ traceId }) => traceId,
}

/** What a line says in a column; nothing where it says nothing. */
export function cellOf(line: LogLineRowFragment, column: string): string | undefined {
  return FACTS[column]?.(line) ?? line.attributes.find(({ key }) => key === column)?.value
}

/** What a column is called: facts by words, attributes by their own names. */
export function columnName(column: string): string {
  return (words.columnNames as Record<string, string>)[column] ?? column
}

/** What may be a column: facts, then the attributes of the lines that are shown, the most frequent first. */
export function offered(lines: readonly LogLineRowFragment[], chosen: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const { attributes } of lines) for (const { key } of attributes) counts.set(key, (counts.get(key) ?? 0) + 1)
  const keys = [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1)).map(([key]) => key)
  return [...new Set([...chosen, ...Object.keys(FACTS), ...keys])]
}
