import type { RuntimeRecord } from './db'
import type { CommandRecord } from './desk'

/** What a runtime answers to a command, as JSON text. */
export function answerTo(runtime: RuntimeRecord, command: CommandRecord): string | null {
  const answer = body(runtime, command)
  return answer === undefined ? null : JSON.stringify(answer)
}

const MI_LOGGERS = ['org.apache.synapse', 'org.apache.axis2', 'org.wso2.micro.integrator', 'OrdersAPI']

const LOG_FILE = [
  '[2026-11-21 08:00:01,120]  INFO {SynapseControllerFactory} - Using configuration mode: synapse',
  '[2026-11-21 08:00:04,881]  INFO {API} - {api:OrdersAPI} Initializing API: OrdersAPI',
  '[2026-11-21 08:12:40,002]  WARN {VFSTransportListener} - The folder /in/edi holds 4,120 files',
  '[2026-11-21 08:12:41,377] ERROR {EdiIn} - The partner 4012345000009 is not known',
  '[2026-11-21 08:13:02,514]  INFO {EdiIn} - ORDERS 88120 taken in',
].join('\n')

const users = new WeakMap<RuntimeRecord, string[]>()

/** The user store of a Micro Integrator. */
export function usersOf(runtime: RuntimeRecord): string[] {
  const known = users.get(runtime) ?? ['admin', 'edi-operator']
  users.set(runtime, known)
  return known
}

/** Changes the user store; gives the reason where it does not. */
export function changeUsers(runtime: RuntimeRecord, { action, name }: CommandRecord): string | undefined {
  const known = usersOf(runtime)
  if (action === 'ADD_USER' && known.includes(name))
    return 'Its user store has a user of that name already. (`MI_USER_EXISTS`) Take another name, or remove that user before.'
  if (action === 'REMOVE_USER' && name === 'admin')
    return 'It does not let the control plane remove this user: an administrator, or the one who asks. (`MI_USER_PROTECTED`) Remove it in the user store itself, or as its super administrator.'
  if (action === 'ADD_USER') users.set(runtime, [...known, name])
  if (action === 'REMOVE_USER')
    users.set(
      runtime,
      known.filter((each) => each !== name),
    )
  return undefined
}

type Resource = { mediaType: string; text?: string; properties?: Record<string, string> }
const REGISTRY: Record<string, Resource> = {
  'registry/config': { mediaType: 'directory', properties: { owner: 'edi' } },
  'registry/governance': { mediaType: 'directory' },
  'registry/config/partners.json': {
    mediaType: 'application/json',
    text: '{\n  "4012345000009": { "name": "Nordwind", "format": "ORDERS D.96A" }\n}',
    properties: { reviewed: '2026-10-02', owner: 'edi' },
  },
  'registry/config/orders-to-canonical.xslt': {
    mediaType: 'application/xslt+xml',
    text: '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>',
  },
}

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
  if (action === 'READ_LOG_FILE') return LOG_FILE
  if (action === 'LIST_USERS') {
    const list = usersOf(runtime).map((userId) => ({ userId }))
    return { count: list.length, list }
  }
  const path = question?.name || 'registry'
  if (action === 'LIST_REGISTRY') {
    const list = Object.entries(REGISTRY)
      .filter(([each]) => each.slice(0, each.lastIndexOf('/')) === path)
      .map(([each, { mediaType }]) => ({ name: each.slice(path.length + 1), mediaType, properties: [] }))
    return { count: list.length, list }
  }
  if (action === 'READ_REGISTRY_FILE') return REGISTRY[path]?.text ?? ''
  if (action === 'REGISTRY_PROPERTIES') {
    const list = Object.entries(REGISTRY[path]?.properties ?? {}).map(([key, value]) => ({ name: key, value }))
    return { count: list.length, list }
  }
  if (action === 'TRIGGER') return { outcome: 'triggered', message: `${name} ran once.` }
  if (action === 'RESTART') return { outcome: 'restarting', message: 'Restarting.' }
  if (action === 'STOP') return { outcome: 'stopped', message: 'Stopped.', finished: 3, returned: 1, cut: 0 }
  return undefined
}
