import { type ReactNode, useLayoutEffect } from 'react'
import { strings } from '@/strings/common'
import { visited } from '@/util/recent'
import { useAnnounced } from './announcer'

type PageHeadProps = {
  title: string
  note?: ReactNode
  actions?: ReactNode
  /** The page is not open to who looks at it: nobody wants back there. */
  closed?: boolean
  /** The name has not come yet: the title is what the address says meanwhile. */
  early?: boolean | undefined
}

/** Title, what belongs beside it, and the page's actions. */
export function PageHead({ title, note, actions, closed = false, early = false }: PageHeadProps) {
  useAnnounced(title)
  // With the paint, not after it: who sees the page may leave it at once, and then the address is another page's.
  useLayoutEffect(() => {
    if (!closed) visited(location.pathname, title, early)
  }, [title, closed, early])
  return (
    <header className="mb-3 flex flex-wrap items-center gap-x-3 gap-y-2">
      <title>{strings.title(title)}</title>
      <h1 className="min-w-0 break-words text-[18px] leading-7 tracking-[-0.01em]">{title}</h1>
      {note && <div className="text-muted">{note}</div>}
      {actions && <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  )
}

type CardProps = { title: ReactNode; beside?: ReactNode; actions?: ReactNode; children: ReactNode; label?: string }

export function Card({ title, beside, actions, children, label }: CardProps) {
  return (
    <section aria-label={label} className="mb-4 rounded-lg border border-line bg-surface">
      <header className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3.5 py-1.5">
        <h2 className="flex items-center gap-2 text-[13.5px]">{title}</h2>
        {beside}
        {actions && <div className="ml-auto flex items-center gap-1.5">{actions}</div>}
      </header>
      {children}
    </section>
  )
}

/** A box that scrolls by itself where a table is wider than the screen; reachable by keyboard for that. */
export function TableBox({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard, and is no landmark
    <div role="group" className="relative overflow-x-auto rounded-b-lg" aria-label={label} tabIndex={0}>
      {children}
    </div>
  )
}

export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(112px,max-content)_minmax(0,1fr)] gap-x-4 gap-y-1 px-3.5 py-2.5">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
