import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useRouterState } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { viewerQuery } from '@/api/queries'
import { shell } from '@/strings/shell'
import { RestingLink } from '@/ui/link-button'
import { lazily } from '@/util/lazily'
import { type Entry, entriesOf } from './entries'
import { useScope } from './scope'

const FiringCount = lazily(async () => (await import('@/pages/alerts/firing')).FiringCount)

const shape = 'flex h-8 shrink-0 items-center gap-2.5 rounded-md px-1.5 sm:px-2.5'
const openClass = `${shape} text-muted hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-ink`
const restingClass = `${shape} cursor-not-allowed text-muted opacity-55`

const exact = { exact: true, includeSearch: false } as const
const below = { includeSearch: false } as const

/** The pages of the present scope; only pages that exist. */
export function Navigation() {
  const scope = useScope()
  const { permissions } = useSuspenseQuery(viewerQuery).data.viewer
  const row = useRef<HTMLElement>(null)
  const address = useRouterState({ select: (state) => state.location.pathname })
  // On narrow screens the entries stand in a row that is longer than the screen: the present one is brought into it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another address has another present entry
  useEffect(() => {
    const present = row.current?.querySelector<HTMLElement>('[aria-current=page]')
    if (row.current && present)
      row.current.scrollLeft = present.offsetLeft - (row.current.clientWidth - present.offsetWidth) / 2
  }, [address])
  return (
    <nav
      ref={row}
      aria-label={shell.navigation}
      className="flex gap-0.5 overflow-x-auto border-b border-line px-2 py-1.5 relative md:w-48 md:shrink-0 md:flex-col md:overflow-visible md:border-b-0 md:border-r md:px-2.5 md:py-3"
    >
      {entriesOf(scope, permissions).map((entry) => (
        <NavigationEntry key={entry.letter} entry={entry} />
      ))}
    </nav>
  )
}

function NavigationEntry({ entry: { name, icon: Icon, link, exact: alone, blocked, firing } }: { entry: Entry }) {
  const content = (
    <>
      <Icon size={15} aria-hidden className="shrink-0 max-sm:hidden" />
      {name}
    </>
  )
  if (blocked) {
    return (
      <RestingLink blocked={blocked} className={restingClass}>
        {content}
      </RestingLink>
    )
  }
  return (
    <Link {...link} className={openClass} activeOptions={alone ? exact : below}>
      {content}
      {firing && <FiringCount />}
    </Link>
  )
}
