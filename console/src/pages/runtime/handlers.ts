type Handler = { logger: string; handler: string; level: string }

const RANKS: Record<string, number> = {
  TRACE: 5,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  WARNING: 30,
  ERROR: 40,
  FATAL: 50,
  CRITICAL: 50,
}

/** How severe a level is; a level without a name is its number. Undefined for what is no level of its own. */
export function rank(level: string): number | undefined {
  const named = RANKS[level]
  if (named !== undefined) return named
  const number = Number(level)
  return level !== '' && number > 0 ? number : undefined
}

/** Records go to the handlers of the logger itself and of those above it, up to the root. */
function reaches(handlerOf: string, logger: string): boolean {
  return handlerOf === '' || handlerOf === 'root' || handlerOf === logger || logger.startsWith(`${handlerOf}.`)
}

/** The handler that hides most of what a logger of this level lets through, or undefined when none does. */
export function hiddenBy(logger: string, level: string, handlers: Handler[]): Handler | undefined {
  const own = rank(level)
  if (own === undefined) return undefined
  return handlers
    .filter((each) => reaches(each.logger, logger) && (rank(each.level) ?? 0) > own)
    .sort((a, b) => (rank(b.level) ?? 0) - (rank(a.level) ?? 0))[0]
}
