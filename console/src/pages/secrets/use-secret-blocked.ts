import { useBlocked } from '@/util/permissions'

/** Why the viewer may not change secrets of this environment, or undefined when they may. */
export function useSecretBlocked({ critical }: { critical: boolean }): string | undefined {
  const blocked = useBlocked()
  return critical ? blocked('ENVIRONMENT_MGT_MANAGE') : blocked('ENVIRONMENT_MGT_MANAGE_NONPROD')
}
