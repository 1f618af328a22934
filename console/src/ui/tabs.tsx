import { Link, type LinkProps } from '@tanstack/react-router'

export type Tab = { name: string; link: LinkProps }

/** Pages that belong together, as links: each has its own address. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  return (
    <nav aria-label={label} className="mb-4 flex gap-4 overflow-x-auto border-b border-line">
      {tabs.map(({ name, link }) => (
        <Link
          key={name}
          {...link}
          activeOptions={{ includeSearch: false, exact: true }}
          className="-mb-px whitespace-nowrap border-b-2 border-transparent pb-1.5 text-muted hover:text-ink aria-[current=page]:border-ink aria-[current=page]:font-medium aria-[current=page]:text-ink"
        >
          {name}
        </Link>
      ))}
    </nav>
  )
}
