/** What runtimes answer to questions. Python's bridge and Micro Integrator's management API word it differently. */
export type LoggerAnswer = {
  logger: string
  level: string
  effective: string | undefined
  program: string | undefined
  handlers: string[]
}
export type LogFile = { name: string; size: string }

type Members = Record<string, unknown>

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined

/** The answer's JSON, or undefined when it is none. */
export function readAnswer(result: string | null): unknown {
  if (result === null) return undefined
  try {
    return JSON.parse(result) as unknown
  } catch {
    return undefined
  }
}

function rows(answer: unknown, ...names: string[]): Members[] {
  if (!isMembers(answer)) return []
  const list = names.map((name) => answer[name]).find(Array.isArray)
  return list?.filter(isMembers) ?? []
}

export function loggersIn(answer: unknown): { loggers: LoggerAnswer[]; total: number } {
  const loggers = rows(answer, 'loggers', 'list').flatMap((row) => {
    const logger = text(row.logger) ?? text(row.loggerName)
    if (logger === undefined) return []
    const handlers = Array.isArray(row.handlers) ? row.handlers.filter(isMembers) : []
    return [
      {
        logger,
        level: text(row.level) ?? '',
        effective: text(row.effectiveLevel),
        program: text(row.programLevel),
        handlers: handlers.map((each) => [text(each.handler), text(each.level)].filter(Boolean).join(' ')),
      },
    ]
  })
  const told = isMembers(answer) ? (answer.total ?? answer.count) : undefined
  return { loggers, total: typeof told === 'number' ? Math.max(told, loggers.length) : loggers.length }
}

export function filesIn(answer: unknown): LogFile[] {
  return rows(answer, 'list', 'files').flatMap((row) => {
    const name = text(row.FileName) ?? text(row.fileName) ?? text(row.name)
    return name === undefined ? [] : [{ name, size: text(row.Size) ?? text(row.size) ?? '' }]
  })
}

/** The definition of an artifact as text: its configuration where the answer has one, else all of it. */
export function sourceIn(answer: unknown): string {
  if (typeof answer === 'string') return answer
  if (isMembers(answer) && typeof answer.configuration === 'string') return answer.configuration
  return answer === undefined ? '' : JSON.stringify(answer, null, 2)
}

export function usersIn(answer: unknown): string[] {
  return rows(answer, 'list', 'users').flatMap((row) => text(row.userId) ?? text(row.username) ?? [])
}

export type RegistryEntry = { name: string; mediaType: string; isFolder: boolean }

/** What a folder holds, folders first. */
export function registryIn(answer: unknown): RegistryEntry[] {
  const entries = rows(answer, 'list').flatMap((row) => {
    const name = text(row.name)
    const mediaType = text(row.mediaType) ?? ''
    return name === undefined ? [] : [{ name, mediaType, isFolder: mediaType === 'directory' }]
  })
  return entries.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || (a.name < b.name ? -1 : 1))
}

/** Properties by name; of something that has none Micro Integrator answers a sentence. */
export function propertiesIn(answer: unknown): [string, string][] {
  return rows(answer, 'list', 'properties').flatMap((row) => {
    const name = text(row.name)
    return name === undefined ? [] : [[name, text(row.value) ?? ''] as [string, string]]
  })
}
