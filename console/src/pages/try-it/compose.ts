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
  const headers = headersOf(operation, draft).flatMap(({ name, value }) => ['-H', quoted(`${name}: ${value}`)])
  const body = takesBody(draft.method) && draft.body ? ['--data-raw', quoted(draft.body)] : []
  return ['curl', ...method, quoted(origin + targetOf(operation, draft)), ...headers, ...body].join(' ')
}

const quoted = (value: string) => (/^[\w./:@=-]+$/.test(value) ? word(value) : `'${value.replaceAll("'", `'\\''`)}'`)
