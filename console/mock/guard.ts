import { type FieldDefinitionNode, type GraphQLSchema, Kind } from 'graphql'
import type * as api from '../src/api/generated/schema'
import type { Db } from './db'
import type { Scope } from './people'
import { refuse } from './refuse'

type Resolve = (args: Record<string, unknown>, ...rest: unknown[]) => unknown

/** The permissions of which one is needed, as the contract itself names them. */
function needs(field: FieldDefinitionNode | null | undefined): api.Permission[] {
  const directive = field?.directives?.find((each) => each.name.value === 'needs')
  return (directive?.arguments ?? []).flatMap(({ value }) =>
    value.kind === Kind.LIST
      ? value.values.map((each) => ('value' in each ? (each.value as api.Permission) : 'SIGNED_IN'))
      : 'value' in value
        ? [value.value as api.Permission]
        : [],
  )
}

/** Where a change is to happen, as its arguments say. */
function placeOf(db: Db, name: string, args: Record<string, unknown>): Scope {
  const given = { ...args, ...(args.input as object | undefined) } as Record<string, string | null>
  const runtime = db.runtimes.find((each) => each.id === (given.runtime ?? given.id))
  if (runtime) {
    const { project, integration, environment } = runtime
    return { project: project.handle, integration: integration.handle, environment: environment.handle }
  }
  const ofAlert = db.alerts.placeOf(name, given.id)
  if (ofAlert) return ofAlert
  const own = given.handle ?? null
  if (/(update|delete)Project$/.test(name)) return { project: own }
  if (/(update|delete)Integration$/.test(name)) return { project: given.project ?? null, integration: own }
  if (/(update|delete)Environment$/.test(name)) return { environment: own }
  if (/^create(Project|Environment|User|Group|Role)/.test(name)) return {}
  return {
    project: given.project ?? null,
    integration: given.integration ?? null,
    environment: given.environment ?? null,
  }
}

/** Wraps every root field: a query is refused to who holds nothing for it anywhere, a change in its very place. */
export function guarded(db: Db, schema: GraphQLSchema, root: Record<string, unknown>): Record<string, unknown> {
  const mutations = schema.getMutationType()?.getFields() ?? {}
  const queries = schema.getQueryType()?.getFields() ?? {}
  const wrap = (name: string, resolve: Resolve): Resolve => {
    const isChange = name in mutations
    const anyOf = needs((mutations[name] ?? queries[name])?.astNode)
    return (args, ...rest) => {
      const place = isChange ? placeOf(db, name, args) : {}
      const held = anyOf.some((each) =>
        isChange && !name.endsWith('Secret') && name !== 'mapRole'
          ? db.people.holds(each, place)
          : db.people.somewhere(each, place),
      )
      if (held) return resolve(args, ...rest)
      const missing = (anyOf[0] ?? 'SIGNED_IN').toLowerCase().replace('_mgt_', '_mgt:')
      if (isChange) db.refusedChanges.push(name)
      return refuse('NOT_PERMITTED', `You need the permission ${missing} here.`, { fix: 'Ask a Super Admin.' })
    }
  }
  return Object.fromEntries(
    Object.entries(root).map(([name, resolve]) => [
      name,
      typeof resolve === 'function' ? wrap(name, resolve as Resolve) : resolve,
    ]),
  )
}
