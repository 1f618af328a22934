import type { ReactNode } from 'react'

export type Choice = {
  key: string
  label: string
  /** Another name that picks it when typed in full: a handle, a username. */
  alias?: string
  hint?: ReactNode
  icon?: ReactNode
  /** Why it does nothing now; picking it says so. */
  blocked?: string | undefined
  pick: () => void
}

export type ChoiceGroup = {
  title: string
  choices: Choice[]
  /** These answer what was typed before: the answer to what stands in the box now is on its way. */
  stale?: boolean
  /** These stay whatever is typed, so that what is typed cannot mean them. */
  fixed?: boolean
}

const plain = (text: string) => text.trim().toLowerCase()

/** A group whose answer is on its way shows of its former answer what fits: of what does not, nothing may be picked. */
export function shownGroups(groups: ChoiceGroup[], query: string): ChoiceGroup[] {
  const typed = plain(query)
  const fits = ({ label, alias = '' }: Choice) => plain(label).includes(typed) || plain(alias).includes(typed)
  return groups
    .map((group) => (group.stale ? { ...group, choices: group.choices.filter(fits) } : group))
    .filter((group) => group.choices.length > 0)
}

/**
 * What Enter means without a mark that somebody set: the one choice that is named in full, else the first one. Nothing
 * where an answer that is on its way belongs before it.
 */
export function meant(groups: ChoiceGroup[], query: string): Choice | undefined {
  const until = groups.findIndex((group) => group.stale)
  const settled = until < 0 ? groups : groups.slice(0, until)
  const named = namedIn(settled, plain(query))
  if (named.length === 1) return named[0]
  return settled.find(({ fixed, choices }) => choices.length > 0 && (!fixed || plain(query) === ''))?.choices[0]
}

/** What an Enter meant that came before the list: only what cannot be mistaken, for nobody saw it marked. */
export function meantUnseen(groups: ChoiceGroup[], query: string): Choice | undefined {
  const typed = plain(query)
  const named = namedIn(groups, typed)
  if (named.length > 0) return named.length === 1 ? named[0] : undefined
  const found = groups.filter((group) => !group.fixed).flatMap((group) => group.choices)
  return found.length === 1 ? found[0] : undefined
}

function namedIn(groups: ChoiceGroup[], typed: string): Choice[] {
  return groups
    .flatMap((group) => group.choices)
    .filter(({ label, alias = '' }) => typed !== '' && (plain(label) === typed || plain(alias) === typed))
}
