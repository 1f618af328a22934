import type { ServiceFactsFragment } from '@/api/generated/operations'

type Resource = ServiceFactsFragment['resources'][number]

/** By path, then by method: what belongs to one path stands together. */
export function inOrder(resources: readonly Resource[]): Resource[] {
  return resources
    .map((each) => ({ ...each, methods: [...each.methods].sort() }))
    .sort((a, b) => compare(a.path, b.path) || compare(a.methods.join(' '), b.methods.join(' ')))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
