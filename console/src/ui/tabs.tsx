import { Link, type LinkProps } from '@tanstack/react-router'
import { RestingLink } from './link-button'

/** `blocked` says why it is not open to the viewer. */
export type Tab = { name: string; link: LinkProps; blocked?: string | undefined }

const TAB = '-mb-px whitespace-nowrap border-b-2 border-transparent pb-1.5'

/** Pages that belong together, as links: each has its own address. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  return (
    <nav aria-label={label} className="mb-4 flex gap-4 overflow-x-auto border-b border-line">
      {tabs.map(({ name, link, blocked }) =>
        blocked ? (
          <RestingLink key={name} blocked={blocked} className={`${TAB} cursor-not-allowed text-faint`}>
            {name}
          </RestingLink>
        ) : (
          <Link
            key={name}
            {...link}
            activeOptions={{ includeSearch: false, exact: true }}
            className={`${TAB} text-muted hover:text-ink aria-[current=page]:border-ink aria-[current=page]:font-medium aria-[current=page]:text-ink`}
          >
            {name}
          </Link>
        ),
      )}
    </nav>
  )
}
