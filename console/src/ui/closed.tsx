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
  permission: Permission
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
  const nowhere = mayNot(viewer.permissions, permission)
  if (!nowhere && !(place && mayNot(place.permissions, permission))) return children
  return <Closed permission={permission} title={title} what={what} place={nowhere ? undefined : place} />
}

function Closed({ permission, title, what, place }: Omit<OpenToProps, 'children'>) {
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
