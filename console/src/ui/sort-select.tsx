import type { Sort } from '@/api/generated/operations'
import { sorts as words } from '@/strings/common'
import { SORTS } from '@/util/choices'
import { Choose } from './choose'

/** The order of a list; by name unless another one is chosen. */
export function SortSelect({
  value,
  onChange,
}: {
  value: Sort | undefined
  onChange: (sort: Sort | undefined) => void
}) {
  return (
    <Choose
      label={words.label}
      value={value ?? 'NAME'}
      onChange={(sort) => onChange(sort === 'NAME' ? undefined : sort)}
      choices={SORTS.map((each) => [each, words.names[each]])}
    />
  )
}
