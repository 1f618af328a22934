import type { Permission, PermissionsQuery } from '@/api/generated/people'

export type Info = PermissionsQuery['permissions'][number]

/** The order in which people look for them. */
const ORDER = ['project_mgt', 'integration_mgt', 'environment_mgt', 'observability_mgt', 'workflow_mgt', 'user_mgt']

/** Permissions by the first part of their names, the weaker ones first. */
export function areasOf(all: readonly Info[]): { area: string; permissions: Info[] }[] {
  const areas = new Map<string, Info[]>()
  for (const each of all) {
    const area = each.name.split(':')[0] ?? each.name
    areas.set(area, [...(areas.get(area) ?? []), each])
  }
  return [...areas]
    .map(([area, permissions]) => ({
      area,
      permissions: permissions.toSorted((a, b) => a.contains.length - b.contains.length || (a.name < b.name ? -1 : 1)),
    }))
    .sort((a, b) => rank(a.area) - rank(b.area))
}

/** What is not in the order comes last. */
const rank = (area: string) => (ORDER.includes(area) ? ORDER.indexOf(area) : ORDER.length)

/** The name of a chosen permission that contains this one, if it is not chosen itself. */
export function containedBy(
  all: readonly Info[],
  chosen: readonly Permission[],
  permission: Permission,
): string | undefined {
  if (chosen.includes(permission)) return undefined
  return all.find((each) => chosen.includes(each.permission) && each.contains.includes(permission))?.name
}
