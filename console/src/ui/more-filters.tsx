import { SlidersHorizontal } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { strings } from '@/strings/common'
import { Button } from './button'

/** Filters that are seldom needed: on narrow screens they are shown when they are asked for, or when one of them is set. */
export function MoreFilters({ used, children }: { used: boolean; children: ReactNode }) {
  const [open, setOpen] = useState(false)
  const shown = open || used
  return (
    <>
      <span className="sm:hidden">
        <Button aria-expanded={shown} onClick={() => setOpen(!open)} blocked={used && strings.filtersUsed}>
          <SlidersHorizontal size={14} aria-hidden />
          {strings.moreFilters}
        </Button>
      </span>
      <div className={shown ? 'contents' : 'contents max-sm:hidden'}>{children}</div>
    </>
  )
}
