import type { RuntimeRecord } from './db'
import type { CommandRecord } from './desk'

/** What a runtime answers to a command, as JSON text. */
export function answerTo(runtime: RuntimeRecord, command: CommandRecord): string | null {
  const answer = body(runtime, command)
  return answer === undefined ? null : JSON.stringify(answer)
}

const MI_LOGGERS = ['org.apache.synapse', 'org.apache.axis2', 'org.wso2.micro.integrator', 'OrdersAPI']

function body(runtime: RuntimeRecord, { action, name, question }: CommandRecord): unknown {
  if (action === 'LIST_LOGGERS') {
    const search = (question?.name ?? '').toLowerCase()
    if (runtime.type === 'MI') {
      const list = MI_LOGGERS.filter((each) => each.toLowerCase().includes(search)).map((loggerName) => ({
        loggerName,
        componentName: loggerName,
        level: 'WARN',
      }))
      return { count: list.length, list }
    }
    const loggers = runtime.logLevels
      .filter((each) => each.logger.toLowerCase().includes(search))
      .map(({ logger, level }) => ({
        logger,
        level,
        effectiveLevel: level,
        handlers: logger === 'root' ? [{ handler: 'StreamHandler', level: 'WARN' }] : [],
        programLevel: runtime.programLevels[logger] ?? null,
      }))
    return { outcome: 'listed', message: `${loggers.length} loggers.`, loggers, total: loggers.length }
  }
  if (action === 'READ_SOURCE') {
    return { name, configuration: `<sequence name="${name}">\n  <log level="full"/>\n  <send/>\n</sequence>` }
  }
  if (action === 'LIST_LOG_FILES') {
    const list = [
      { FileName: 'wso2carbon.log', Size: '1.4 MB' },
      { FileName: 'http_access.log', Size: '220 KB' },
    ]
    return { count: list.length, list }
  }
  if (action === 'TRIGGER') return { outcome: 'triggered', message: `${name} ran once.` }
  if (action === 'RESTART') return { outcome: 'restarting', message: 'Restarting.' }
  if (action === 'STOP') return { outcome: 'stopped', message: 'Stopped.', finished: 3, returned: 1, cut: 0 }
  return undefined
}
