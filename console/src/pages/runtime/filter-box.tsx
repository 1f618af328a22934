import { runtime as words } from '@/strings/runtimes'

/** What can be seen at a glance needs no filter. */
const AT_A_GLANCE = 5

type FilterBoxProps = {
  label: string
  value: string
  onFilter: (filter: string) => void
  /** How many there are to choose from. */
  among: number
  /** Whether `/` leads to it. */
  isPageSearch?: boolean
}

export function FilterBox({ label, value, onFilter, among, isPageSearch }: FilterBoxProps) {
  if (among <= AT_A_GLANCE && !value) return null
  return (
    <input
      type="search"
      data-search={isPageSearch}
      aria-label={label}
      placeholder={words.filterShort}
      value={value}
      onChange={(event) => onFilter(event.target.value)}
      className="h-6 w-44 rounded-md border border-edge bg-surface px-2 text-[12px]"
    />
  )
}
