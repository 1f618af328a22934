import type { DeletionFactsFragment } from '@/api/generated/people'
import { changing as words } from '@/strings/changing'

const ORDER = [
  'integrations',
  'runtimes',
  'runningRuntimes',
  'secrets',
  'desiredStates',
  'roleMappings',
  'groups',
] as const

/** What hangs on something, in words; empty when nothing does. */
export function hanging(facts: DeletionFactsFragment): string[] {
  return ORDER.filter((name) => facts[name] > 0).map(
    (name) => `${facts[name]} ${words.counts[name][facts[name] === 1 ? 0 : 1]}`,
  )
}
