import { useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { LockKeyhole } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Permission } from '@/api/generated/operations'
import { viewerQuery } from '@/api/queries'
import { closed as words } from '@/strings/closed'
import { to } from '@/util/paths'
import { mayNot, wireName } from '@/util/permissions'
import { Button, buttonClass } from './button'
import { CodeBlock } from './copy'
import { PageHead } from './page'
import { Said } from './said'

type PlaceHeld = { name: string; permissions: readonly Permission[] }

type OpenToProps = {
  /** The one that is asked for; of several each opens the page, and the first is the one to ask for. */
  permission: Permission | readonly [Permission, ...Permission[]]
  /** The page's title, and what it shows in a word or two that begin a sentence. */
  title: string
  what: string
  /** Where the page belongs to a place: what is held there decides, as soon as it is known. */
  place?: PlaceHeld | undefined
  children: ReactNode
}

/** A page for those who hold a permission; who does not is told so, and nothing is asked that would be refused. */
export function OpenTo({ permission, title, what, place, children }: OpenToProps) {
  const { viewer } = useSuspenseQuery(viewerQuery).data
  const anyOf = typeof permission === 'string' ? ([permission] as const) : permission
  const nowhere = mayNot(viewer.permissions, ...anyOf)
  if (!nowhere && !(place && mayNot(place.permissions, ...anyOf))) return children
  return <Closed permission={anyOf[0]} title={title} what={what} place={nowhere ? undefined : place} />
}

/** The same for a whole page, which is not begun where it is not open. */
export function openTo(permission: OpenToProps['permission'], title: string, Page: () => ReactNode, what = title) {
  return function Open() {
    return (
      <OpenTo permission={permission} title={title} what={what}>
        <Page />
      </OpenTo>
    )
  }
}

type ClosedProps = Omit<OpenToProps, 'children' | 'permission'> & { permission: Permission }

function Closed({ permission, title, what, place }: ClosedProps) {
  const { viewer } = useSuspenseQuery(viewerQuery).data
  const client = useQueryClient()
  const { username } = viewer
  const needed = wireName(permission)
  const request = words.request(
    needed,
    place?.name ?? words.everywhere,
    username,
    words.groups(viewer.groups.map(({ name }) => name)),
    `${location.origin}/access/users/${viewer.id}`,
  )
  return (
    <>
      <PageHead title={title} closed />
      <section aria-label={title} className="max-w-3xl rounded-lg border border-line bg-surface px-4 py-4 sm:px-5">
        <h2 className="flex items-start gap-2 text-[14px]">
          <LockKeyhole size={16} className="mt-0.5 shrink-0 text-muted" aria-hidden />
          {place ? words.titleIn(what, place.name) : words.title(what)}
        </h2>
        <p className="mt-1.5">
          <Said text={place ? words.leadIn(username, needed, place.name) : words.lead(username, needed)} />
        </p>
        <p className="mb-2 mt-3">{words.ask}</p>
        <CodeBlock code={request} label={words.send} prose />
        <div className="mt-3 flex flex-wrap gap-2">
          <Button onClick={() => void client.invalidateQueries()}>{words.again}</Button>
          <Link {...to.profile()} className={buttonClass('quiet')}>
            {words.held}
          </Link>
        </div>
      </section>
    </>
  )
}
