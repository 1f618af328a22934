import { useQuery } from '@tanstack/react-query'
import type { Permission } from '@/api/generated/people'
import { permissionsQuery } from '@/api/people-queries'
import { access as words } from '@/strings/access'
import { areasOf, containedBy } from '@/util/areas'
import { CouldNotLoad, Skeleton } from './states'

type PermissionChecksProps = {
  chosen: readonly Permission[]
  onChange?: ((chosen: Permission[]) => void) | undefined
  /** Why one may not be chosen. */
  blocked?: (permission: Permission) => string | undefined
}

/** Permissions by area with their meanings; what another one contains is ticked by it and says so. */
export function PermissionChecks({ chosen, onChange, blocked }: PermissionChecksProps) {
  const query = useQuery(permissionsQuery)
  if (query.isPending) return <Skeleton label={words.permissions} />
  if (!query.data) {
    return <CouldNotLoad what={words.permissions} error={query.error} onRetry={() => void query.refetch()} />
  }
  const all = query.data
  return (
    <div className="space-y-3">
      {areasOf(all).map(({ area, permissions }) => (
        <fieldset key={area}>
          <legend className="mb-0.5 font-medium">{words.areas[area] ?? area}</legend>
          {permissions.map(({ permission, name, meaning }) => {
            const by = containedBy(all, chosen, permission)
            const why = blocked?.(permission)
            const isOn = chosen.includes(permission) || by !== undefined
            return (
              <label key={permission} className="flex items-start gap-2.5 py-0.5">
                <input
                  type="checkbox"
                  checked={isOn}
                  disabled={!onChange || by !== undefined || (why !== undefined && !isOn)}
                  onChange={() =>
                    onChange?.(
                      chosen.includes(permission)
                        ? chosen.filter((each) => each !== permission)
                        : [...chosen, permission],
                    )
                  }
                  className="mt-[3px] accent-solid"
                />
                <span className="min-w-0">
                  <code>{name}</code>
                  <span className="block text-[12px] text-muted">
                    {meaning} {by && words.containedIn(by)} {why && !isOn && why}
                  </span>
                </span>
              </label>
            )
          })}
        </fieldset>
      ))}
    </div>
  )
}
