import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { RevokeApiTokenDocument, type TokenRowFragment } from '@/api/generated/people'
import { tokensQuery } from '@/api/people-queries'
import { graphql } from '@/api/request'
import { tokens as words } from '@/strings/account'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { List, type ListColumn } from '@/ui/list'
import { notify } from '@/ui/notices'
import { Card } from '@/ui/page'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import { lazily } from '@/util/lazily'
import { wireName } from '@/util/permissions'
import { useUntil } from '@/util/ticker'
import { exactTime } from '@/util/time'
import { useAction } from '@/util/use-action'

const ShownSecret = lazily(async () => (await import('@/ui/shown-secret')).ShownSecret)
const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const CreateToken = lazily(async () => (await import('./create-token')).CreateToken)

const tones = { ACTIVE: 'text-ok', EXPIRED: 'text-muted', REVOKED: 'text-bad' } as const

function Until({ at }: { at: string }) {
  const left = useUntil(at)
  return <span data-tip={exactTime(at)}>{left ? `in ${left}` : words.states.EXPIRED}</span>
}

const columns: ListColumn<TokenRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ name, hint }) => (
      <>
        <span className="font-medium">{name}</span> <code className="text-faint">{hint}…</code>
      </>
    ),
  },
  {
    key: 'state',
    title: words.columns.state,
    cell: ({ state }) => <span className={`font-medium ${tones[state]}`}>{words.states[state]}</span>,
  },
  {
    key: 'carries',
    title: words.columns.carries,
    className: 'hidden md:table-cell w-full max-w-0 truncate text-muted',
    cell: ({ permissions }) => {
      const names = permissions?.map(wireName).join(', ')
      return <span data-tip={names}>{names ?? words.all}</span>
    },
  },
  {
    key: 'used',
    title: words.columns.used,
    className: 'hidden sm:table-cell text-right',
    cell: ({ lastUsedAt }) =>
      lastUsedAt ? <Age at={lastUsedAt} ago /> : <span className="text-faint">{words.never}</span>,
  },
  {
    key: 'ends',
    title: words.columns.ends,
    className: 'text-right nums',
    cell: ({ expiresAt }) => (expiresAt ? <Until at={expiresAt} /> : <span className="text-faint">{words.never}</span>),
  },
]

type TokensProps = { user?: { id: string; isService: boolean }; blocked?: string | undefined }

/** The API tokens of oneself, or of another user; made here, shown once, revoked here. */
export function Tokens({ user, blocked }: TokensProps) {
  const [includeEnded, setIncludeEnded] = useState(false)
  const [open, setOpen] = useState<'create' | TokenRowFragment>()
  const [made, setMade] = useState<{ name: string; token: string }>()
  const client = useQueryClient()
  const query = useInfiniteQuery(tokensQuery(user?.id ?? null, includeEnded))
  const refresh = () => void client.invalidateQueries({ queryKey: ['people', 'tokens'] })
  // A person makes their own tokens; those of a service account are made for it.
  const mayCreate = !user || user.isService
  return (
    <Card
      title={words.title}
      label={words.title}
      actions={
        <>
          <label className="flex items-center gap-1.5 text-muted">
            <input
              type="checkbox"
              checked={includeEnded}
              onChange={(event) => setIncludeEnded(event.target.checked)}
              className="accent-solid"
            />
            {words.ended}
          </label>
          {mayCreate && (
            <Button small blocked={blocked} onClick={() => setOpen('create')}>
              {words.create}
            </Button>
          )}
        </>
      }
    >
      <List
        bare
        what={words.what}
        query={query}
        columns={[
          ...columns,
          {
            key: 'actions',
            title: <span className="sr-only">{words.columns.actions}</span>,
            className: 'text-right',
            cell: (row) =>
              row.state === 'ACTIVE' && (
                <Button
                  small
                  look="quiet"
                  aria-label={words.revokeLabel(row.name)}
                  blocked={blocked}
                  onClick={() => setOpen(row)}
                >
                  {words.revoke}
                </Button>
              ),
          },
        ]}
        rowKey={(row) => row.id}
        empty={
          <Empty title={words.emptyTitle}>
            <Said text={words.emptyText} />
          </Empty>
        }
      />
      {open === 'create' && (
        <CreateToken
          user={user?.id ?? null}
          onClose={() => setOpen(undefined)}
          onMade={(token) => {
            setMade(token)
            setOpen(undefined)
            refresh()
          }}
        />
      )}
      {open && open !== 'create' && <RevokeToken token={open} onClose={() => setOpen(undefined)} onDone={refresh} />}
      {made && (
        <ShownSecret
          title={made.name}
          label={words.columns.name}
          secret={made.token}
          once={words.once}
          onClose={() => setMade(undefined)}
        />
      )}
    </Card>
  )
}

type RevokeTokenProps = { token: TokenRowFragment; onClose: () => void; onDone: () => void }

function RevokeToken({ token: { id, name }, onClose, onDone }: RevokeTokenProps) {
  const { run, pending, problem } = useAction(async () => {
    await graphql(RevokeApiTokenDocument, { id })
    notify(words.revoked(name))
    onDone()
    onClose()
  })
  return (
    <ConfirmDialog
      title={words.revokeTitle(name)}
      about={words.revokeAbout}
      submit={words.revoke}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}
