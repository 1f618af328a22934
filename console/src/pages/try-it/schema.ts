/** A part of an OpenAPI document: written by somebody else, so nothing of it is taken for granted. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
export type Members = { [name: string]: Json }

const DEPTH_MAX = 8
const HOPS_MAX = 20
/** That one answer is made from: what refers to itself in many ways would have no end. */
const SCHEMAS_MAX = 1_000

export function members(value: Json | undefined): Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {}
}

export function items(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : []
}

export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** Follows references within the document; others, and circles, lead to nothing. */
export function resolved(document: Members, value: Json | undefined): Members {
  let found = members(value)
  for (let hops = 0; hops < HOPS_MAX; hops += 1) {
    const reference = found.$ref
    if (typeof reference !== 'string') return found
    if (!reference.startsWith('#/')) return {}
    let target: Json | undefined = document
    for (const step of reference.slice(2).split('/')) {
      const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
      const inside = members(target)
      target = Object.hasOwn(inside, name) ? inside[name] : undefined
    }
    found = members(target)
  }
  return {}
}

/** How many schemas may still be read for one answer. */
type Rest = { schemas: number }
const ends = (depth: number, rest: Rest) => {
  rest.schemas -= 1
  return depth > DEPTH_MAX || rest.schemas < 0
}

/** What kind of value a schema asks for, in a few words. */
export function kindOf(
  document: Members,
  value: Json | undefined,
  depth = 0,
  rest: Rest = { schemas: SCHEMAS_MAX },
): string {
  const schema = resolved(document, value)
  if (ends(depth, rest)) return '…'
  const choices = items(schema.enum)
  if (choices.length > 0) return choices.map((each) => JSON.stringify(each)).join(' | ')
  for (const word of ['oneOf', 'anyOf', 'allOf'] as const) {
    const parts = items(schema[word])
    if (parts.length > 0)
      return [...new Set(parts.map((part) => kindOf(document, part, depth + 1, rest)))].join(
        word === 'allOf' ? ' & ' : ' | ',
      )
  }
  const named = Array.isArray(schema.type) ? schema.type.map(text).join(' | ') : text(schema.type)
  if (named === 'array') return `${kindOf(document, schema.items, depth + 1, rest)}[]`
  const format = text(schema.format)
  return format ? `${named} (${format})` : named || (schema.properties ? 'object' : 'any')
}

const BY_FORMAT: Record<string, string> = {
  date: '2026-01-31',
  'date-time': '2026-01-31T10:00:00Z',
  time: '10:00:00Z',
  email: 'ann@example.com',
  uuid: '3f2a8d1e-5c4b-4f6a-9d7e-0b1c2d3e4f5a',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  byte: 'aGVsbG8=',
  duration: 'PT1M',
}

/** An example that fits a schema: the one that it gives, or the least that it asks for. */
export function exampleOf(
  document: Members,
  value: Json | undefined,
  depth = 0,
  rest: Rest = { schemas: SCHEMAS_MAX },
): Json {
  const schema = resolved(document, value)
  if (ends(depth, rest)) return null
  if (schema.example !== undefined) return schema.example
  const given = items(schema.examples)
  if (given[0] !== undefined) return given[0]
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  const choices = items(schema.enum)
  if (choices[0] !== undefined) return choices[0]
  const all = items(schema.allOf)
  if (all.length > 0) {
    const parts = all.map((part) => exampleOf(document, part, depth + 1, rest))
    if (parts.length === 1 && !schema.properties) return parts[0] ?? null
    return Object.assign({}, ...parts.map(members), objectOf(document, schema, depth, rest)) as Members
  }
  const either = [...items(schema.oneOf), ...items(schema.anyOf)]
  const first = either.find((part) => text(resolved(document, part).type) !== 'null')
  if (first !== undefined) return exampleOf(document, first, depth + 1, rest)
  return plain(document, schema, depth, rest)
}

function plain(document: Members, schema: Members, depth: number, rest: Rest): Json {
  const types = Array.isArray(schema.type) ? schema.type.map(text) : [text(schema.type)]
  const type = types.find((each) => each !== 'null') ?? ''
  switch (type) {
    case 'string': {
      const least = typeof schema.minLength === 'number' ? Math.min(schema.minLength, 100) : 0
      return BY_FORMAT[text(schema.format)] ?? 'string'.padEnd(least, 'x')
    }
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 0
    case 'boolean':
      return true
    case 'null':
      return null
    case 'array':
      return schema.items === undefined ? [] : [exampleOf(document, schema.items, depth + 1, rest)]
    default:
      return type === 'object' || schema.properties ? objectOf(document, schema, depth, rest) : null
  }
}

function objectOf(document: Members, schema: Members, depth: number, rest: Rest): Members {
  const made: Members = {}
  for (const [name, property] of Object.entries(members(schema.properties))) {
    if (resolved(document, property).readOnly === true) continue
    made[name] = exampleOf(document, property, depth + 1, rest)
  }
  return made
}
