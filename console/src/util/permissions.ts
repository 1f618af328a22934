import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import type { Permission, PlaceInput } from '@/api/generated/operations'
import { mayQuery, viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'

/** As it stands in the API of the original and on the command line: `integration_mgt:view`. */
export function wireName(permission: Permission): string {
  return permission.toLowerCase().replace('_mgt_', '_mgt:')
}

/** Why something may not be done where these permissions are held, or undefined when it may. */
export function mayNot(held: readonly Permission[], ...anyOf: Permission[]): string | undefined {
  if (anyOf.some((permission) => held.includes(permission))) return undefined
  return strings.missingPermission(wireName(anyOf[0] ?? 'SIGNED_IN'))
}

/** Why the viewer may not do something anywhere, or undefined. The shell has read the viewer before any page. */
export function useBlocked(): (...anyOf: Permission[]) => string | undefined {
  const { permissions } = useSuspenseQuery(viewerQuery).data.viewer
  return (...anyOf) => mayNot(permissions, ...anyOf)
}

/** The permission that touches an environment or its secrets. */
export function managing({ critical }: { critical: boolean }): Permission {
  return critical ? 'ENVIRONMENT_MGT_MANAGE' : 'ENVIRONMENT_MGT_MANAGE_NONPROD'
}

/** Why the viewer may not do something in a very place, or undefined; the control plane decides. */
export function useMayNotIn(permission: Permission, place: PlaceInput): string | undefined {
  const nowhere = useBlocked()(permission)
  const query = useQuery({ ...mayQuery(permission, place), enabled: !nowhere })
  if (nowhere) return nowhere
  // Until it is known nothing is promised; when it cannot be known, the control plane itself refuses.
  if (query.isPending) return strings.loading
  return query.data && !query.data.allowed ? mayNot([], permission) : undefined
}
