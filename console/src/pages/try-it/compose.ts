import type { Header } from '@/api/try-it'
import { word } from '@/util/cli'
import type { Operation, Parameter } from './operations'

/** What somebody fills in: one field a parameter, headers of their own, and a body. */
export type Draft = {
  method: string
  /** With `{parts}` where the operation has some. */
  path: string
  values: Record<string, string>
  headers: Header[]
  bodyType: string
  body: string
}

export const fieldOf = ({ in: where, name }: Parameter) => `${where} ${name}`
export const takesBody = (method: string) => !['GET', 'HEAD', 'OPTIONS'].includes(method)

/** Begins with the operation's examples. */
export function draftOf(operation: Operation): Draft {
  const [body] = operation.bodies
  return {
    method: operation.method,
    path: operation.path,
    values: Object.fromEntries(operation.parameters.map((each) => [fieldOf(each), each.example])),
    headers: [],
    bodyType: body?.type ?? '',
    body: body?.example ?? '',
  }
}

export const emptyDraft: Draft = { method: 'GET', path: '/', values: {}, headers: [], bodyType: '', body: '' }

/** The required fields that are empty. */
export function missingOf(operation: Operation | undefined, draft: Draft): Parameter[] {
  return (operation?.parameters ?? []).filter((each) => each.required && !draft.values[fieldOf(each)])
}

/** Path and query as they are sent. */
export function targetOf(operation: Operation | undefined, draft: Draft): string {
  const parameters = operation?.parameters ?? []
  const path = draft.path.replace(/\{([^}]+)\}/g, (whole, name: string) =>
    `path ${name}` in draft.values ? encodeURIComponent(draft.values[`path ${name}`] ?? '') : whole,
  )
  const query = parameters
    .filter((each) => each.in === 'query' && draft.values[fieldOf(each)])
    .flatMap((each) => {
      const value = draft.values[fieldOf(each)] ?? ''
      const values = each.kind.endsWith('[]') ? value.split(',') : [value]
      return values.map((one) => `${encodeURIComponent(each.name)}=${encodeURIComponent(one.trim())}`)
    })
  const safe = encoded(path)
  if (query.length === 0) return safe
  return `${safe}${safe.includes('?') ? '&' : '?'}${query.join('&')}`
}

/** Encodes what may not stand in an address and leaves what is encoded already. */
function encoded(path: string): string {
  const plain = path.startsWith('/') ? path : `/${path}`
  return plain.replace(/%(?![0-9A-Fa-f]{2})|[^!"$-~]/gu, (each) => encodeURIComponent(each))
}

export function headersOf(operation: Operation | undefined, draft: Draft): Header[] {
  const told = (operation?.parameters ?? [])
    .filter((each) => each.in === 'header' && draft.values[fieldOf(each)])
    .map((each) => ({ name: each.name, value: draft.values[fieldOf(each)] ?? '' }))
  const own = draft.headers.filter(({ name }) => name.trim()).map(({ name, value }) => ({ name: name.trim(), value }))
  const all = [...told, ...own]
  const isTyped = all.some(({ name }) => name.toLowerCase() === 'content-type')
  const type = takesBody(draft.method) && draft.body && draft.bodyType && !isTyped
  return type ? [{ name: 'Content-Type', value: draft.bodyType }, ...all] : all
}

/** The same request from a terminal, straight to the service. */
export function curlOf(origin: string, operation: Operation | undefined, draft: Draft): string {
  const method = draft.method === 'GET' ? [] : draft.method === 'HEAD' ? ['--head'] : ['-X', draft.method]
  const body = bodyOf(draft)
  return [
    'curl',
    ...method,
    word(origin + targetOf(operation, draft)),
    ...headerWords(operation, draft),
    ...(body ? ['--data-raw', word(body)] : []),
  ].join(' ')
}

export type Asked = { id: string; port: number; environment: { handle: string; critical: boolean } }

/** The same request through the control plane, from a terminal that reaches this. */
export function cliOf(asked: Asked, operation: Operation | undefined, draft: Draft): string {
  const body = bodyOf(draft)
  // What the command line would read as a file is handed over by a pipe.
  const isPiped = body === '-' || body.startsWith('@')
  const confirm = takesBody(draft.method) && asked.environment.critical ? ['--confirm', asked.environment.handle] : []
  return [
    ...(isPiped ? ['printf', '%s', word(body), '|'] : []),
    'pilothouse',
    'try',
    word(asked.id),
    draft.method,
    word(targetOf(operation, draft)),
    '--port',
    String(asked.port),
    ...headerWords(operation, draft),
    ...(body ? ['--data', isPiped ? '-' : word(body)] : []),
    ...confirm,
  ].join(' ')
}

const bodyOf = (draft: Draft) => (takesBody(draft.method) ? draft.body : '')
const headerWords = (operation: Operation | undefined, draft: Draft) =>
  headersOf(operation, draft).flatMap(({ name, value }) => ['-H', word(`${name}: ${value}`)])
