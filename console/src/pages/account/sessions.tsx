import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { EndSessionDocument, type SessionRowFragment } from '@/api/generated/people'
import { sessionsQuery } from '@/api/people-queries'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { profile as words } from '@/strings/account'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { List, type ListColumn } from '@/ui/list'
import { notify } from '@/ui/notices'
import { Empty } from '@/ui/states'
import { clientName } from '@/util/client-name'
import { useAction } from '@/util/use-action'

const columns: ListColumn<SessionRowFragment>[] = [
  {
    key: 'client',
    title: words.columns.client,
    className: 'w-full max-w-0 min-w-40',
    cell: ({ userAgent, current }) => (
      <span className="flex min-w-0 items-center gap-2">
        <span className="truncate" data-tip={userAgent}>
          {clientName(userAgent) || '–'}
        </span>
        {current && <span className="shrink-0 rounded border border-edge px-1.5 text-[11px]">{words.current}</span>}
      </span>
    ),
  },
  {
    key: 'kind',
    title: words.columns.kind,
    className: 'hidden sm:table-cell',
    cell: ({ kind }) => words.kinds[kind] ?? kind,
  },
  {
    key: 'address',
    title: words.columns.address,
    className: 'hidden sm:table-cell',
    cell: ({ address }) => <code>{address ?? '–'}</code>,
  },
  {
    key: 'used',
    title: words.columns.used,
    className: 'text-right',
    cell: ({ lastUsedAt }) => <Age at={lastUsedAt} ago />,
  },
]

/** The open sessions of somebody; oneself unless a user is named. */
export function Sessions({ user = null, blocked }: { user?: string | null; blocked?: string | undefined }) {
  const query = useInfiniteQuery(sessionsQuery(user))
  const client = useQueryClient()
  const { run, pending } = useAction(async (id: string) => {
    try {
      await graphql(EndSessionDocument, { id })
      notify(words.ended)
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
    void client.invalidateQueries({ queryKey: ['people', 'sessions'] })
  })
  return (
    <List
      bare
      what={words.sessionsWhat}
      query={query}
      columns={[
        ...columns,
        {
          key: 'actions',
          title: <span className="sr-only">{words.columns.actions}</span>,
          className: 'text-right',
          cell: ({ id, userAgent, current }) =>
            !current && (
              <Button
                small
                look="quiet"
                aria-label={words.endLabel(clientName(userAgent))}
                blocked={blocked}
                aria-busy={pending}
                onClick={() => !pending && void run(id)}
              >
                {words.end}
              </Button>
            ),
        },
      ]}
      rowKey={(row) => row.id}
      empty={<Empty title={words.noSessions} />}
    />
  )
}
