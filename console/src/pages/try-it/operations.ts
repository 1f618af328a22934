import { exampleOf, items, type Json, kindOf, type Members, members, resolved, text } from './schema'

export type Parameter = {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  kind: string
  description: string
  example: string
}
export type Body = { type: string; required: boolean; kind: string; example: string }
export type Outcome = { status: string; description: string; kind: string; example: string }

/** Something that a service answers, by its definition or by what the runtime reports of it. */
export type Operation = {
  key: string
  method: string
  path: string
  summary: string
  description: string
  deprecated: boolean
  /** The definition's or the service's name. */
  source: string
  parameters: Parameter[]
  bodies: Body[]
  outcomes: Outcome[]
  /** Where the definition says that it is served; null where it does not. */
  port: number | null
}

type Definition = { fileName: string; definition: string }
type Service = {
  name: string
  basePath: string
  listeners: string[]
  resources: { methods: string[]; path: string }[]
}
type Listener = { name: string; port: number | null }

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const

/** All that can be tried out, by path: what definitions say, and what services have beside that. */
export function operationsOf(definitions: Definition[], services: Service[], listeners: Listener[]): Operation[] {
  const told = definitions.flatMap(fromDefinition)
  const known = new Set(told.map(({ method, path }) => `${method} ${shape(path)}`))
  const reported = services
    .flatMap((service) => fromService(service, listeners))
    .filter(({ method, path }) => !known.has(`${method} ${shape(path)}`))
  const seen = new Set<string>()
  return [...told, ...reported]
    .filter(({ key }) => !seen.has(key) && seen.add(key))
    .sort((a, b) => a.path.localeCompare(b.path) || rank(a.method) - rank(b.method))
}

/** Two paths are one where only the names of their parts differ. */
const shape = (path: string) => path.replace(/\{[^}]*\}/g, '{}').replace(/(.)\/$/, '$1')
const RANKS: readonly string[] = METHODS
const rank = (method: string) => RANKS.indexOf(method)

/** Definitions that cannot be read, by file name. */
export function unreadable(definitions: Definition[]): string[] {
  return definitions.filter(({ definition }) => !read(definition).paths).map(({ fileName }) => fileName)
}

function read(definition: string): Members {
  try {
    return members(JSON.parse(definition) as Json)
  } catch {
    return {}
  }
}

function fromDefinition({ fileName, definition }: Definition): Operation[] {
  const document = read(definition)
  const source = text(members(document.info).title) || fileName
  return Object.entries(members(document.paths)).flatMap(([path, told]) => {
    const shared = resolved(document, told)
    return METHODS.flatMap((method) => {
      const found = members(shared[method.toLowerCase()])
      if (Object.keys(found).length === 0) return []
      const server = serverOf(items(found.servers)[0] ?? items(shared.servers)[0] ?? items(document.servers)[0])
      return [operation(document, source, method, join(server.base, path), found, shared, server.port)]
    })
  })
}

function operation(
  document: Members,
  source: string,
  method: string,
  path: string,
  found: Members,
  shared: Members,
  port: number | null,
): Operation {
  return {
    key: `${method} ${path}`,
    method,
    path,
    summary: text(found.summary) || text(found.operationId),
    description: text(found.description),
    deprecated: found.deprecated === true,
    source,
    parameters: parametersOf(document, path, [...items(shared.parameters), ...items(found.parameters)]),
    bodies: bodiesOf(document, found.requestBody),
    outcomes: outcomesOf(document, found.responses),
    port,
  }
}

/** What comes later wins, as an operation's own parameters do over those of its path; a part of the path is always asked for. */
function parametersOf(document: Members, path: string, told: Json[]): Parameter[] {
  const found = new Map<string, Parameter>()
  for (const name of partsOf(path)) found.set(`path ${name}`, bare(name))
  for (const each of told) {
    const parameter = resolved(document, each)
    const [name, where] = [text(parameter.name), text(parameter.in)]
    if (!name || (where !== 'path' && where !== 'query' && where !== 'header')) continue
    const schema = parameter.schema ?? parameter
    const required = parameter.required === true || where === 'path'
    const given = parameter.example ?? resolved(document, Object.values(members(parameter.examples))[0]).value
    const example = given ?? (required ? exampleOf(document, schema) : null)
    found.set(`${where} ${name}`, {
      name,
      in: where,
      required,
      kind: kindOf(document, schema),
      description: text(parameter.description),
      example: written(example),
    })
  }
  return [...found.values()]
}

const bare = (name: string): Parameter => ({
  name,
  in: 'path',
  required: true,
  kind: 'string',
  description: '',
  example: '',
})
const partsOf = (path: string) => [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name ?? '')
const written = (value: Json): string =>
  value === null
    ? ''
    : Array.isArray(value)
      ? value.map(written).join(',')
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)

function bodiesOf(document: Members, told: Json | undefined): Body[] {
  const body = resolved(document, told)
  return Object.entries(members(body.content)).map(([type, media]) => ({
    type,
    required: body.required === true,
    kind: kindOf(document, members(media).schema),
    example: exampleIn(document, type, members(media)),
  }))
}

function outcomesOf(document: Members, told: Json | undefined): Outcome[] {
  return Object.entries(members(told)).map(([status, each]) => {
    const outcome = resolved(document, each)
    const [first] = Object.entries(members(outcome.content))
    return {
      status,
      description: text(outcome.description),
      kind: first ? kindOf(document, members(first[1]).schema) : '',
      example: first ? exampleIn(document, first[0], members(first[1])) : '',
    }
  })
}

function exampleIn(document: Members, type: string, media: Members): string {
  const named = resolved(document, Object.values(members(media.examples))[0]).value
  const example = media.example ?? named ?? (media.schema === undefined ? null : exampleOf(document, media.schema))
  if (type.includes('x-www-form-urlencoded')) {
    const pairs = Object.entries(members(example)).map(([name, value]): [string, string] => [name, written(value)])
    return new URLSearchParams(pairs).toString()
  }
  if (typeof example === 'string' && !isJson(type)) return example
  return example === null ? '' : JSON.stringify(example, null, 2)
}

export const isJson = (type: string) => /[/+]json\b/i.test(type)

/** Path and port of a server, its variables filled with what they are by default. */
function serverOf(told: Json | undefined): { base: string; port: number | null } {
  const server = members(told)
  const filled = text(server.url).replace(/\{([^}]+)\}/g, (_, name: string) =>
    written(members(members(server.variables)[name]).default ?? null),
  )
  try {
    const url = new URL(filled, 'http://-')
    return { base: decodeURI(url.pathname), port: url.port ? Number(url.port) : null }
  } catch {
    return { base: '', port: null }
  }
}

function fromService({ name, basePath, listeners: own, resources }: Service, listeners: Listener[]): Operation[] {
  const port = listeners.find((each) => own.includes(each.name))?.port ?? null
  return resources.flatMap((resource) =>
    resource.methods.flatMap((told) => {
      const method = told === 'ANY' || told === 'DEFAULT' ? 'GET' : told
      if (rank(method) < 0) return []
      const path = resource.path === '/' && basePath !== '/' ? basePath : join(basePath, resource.path)
      return [
        {
          key: `${method} ${path}`,
          method,
          path,
          summary: '',
          description: '',
          deprecated: false,
          source: name,
          parameters: parametersOf({}, path, []),
          bodies: ['POST', 'PUT', 'PATCH'].includes(method)
            ? [{ type: 'application/json', required: false, kind: '', example: '' }]
            : [],
          outcomes: [],
          port,
        },
      ]
    }),
  )
}

function join(base: string, path: string): string {
  const joined = `${base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`
  return joined.startsWith('/') ? joined : `/${joined}`
}
