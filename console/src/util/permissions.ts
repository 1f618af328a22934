import { useSuspenseQuery } from '@tanstack/react-query'
import type { Permission } from '@/api/generated/operations'
import { viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'

/** Why the viewer may not do something, or undefined when they may. The shell has read the viewer before any page. */
export function useBlocked(): (...anyOf: Permission[]) => string | undefined {
  const { permissions } = useSuspenseQuery(viewerQuery).data.viewer
  return (...anyOf) => {
    if (anyOf.some((permission) => permissions.includes(permission))) return undefined
    return strings.missingPermission(anyOf[0] ?? 'SIGNED_IN')
  }
}
