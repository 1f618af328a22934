import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { type EnvironmentRowFragment, EnvironmentsDocument } from '@/api/generated/operations'
import { environmentPagesQuery, PAGE_SIZE } from '@/api/queries'
import { changing } from '@/strings/changing'
import { strings } from '@/strings/common'
import { environments as words } from '@/strings/tenancy'
import { tryIt as tryItWords } from '@/strings/try-it'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { Empty } from '@/ui/states'
import { Counts, CriticalBadge } from '@/ui/status'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { managing, mayNot, useBlocked } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AllowTryIt } from './try-it/allow'

const CreateEnvironment = lazily(async () => (await import('@/forms/create-environment')).CreateEnvironment)
const EditDialog = lazily(async () => (await import('./changing/edit')).EditDialog)
const RemoveDialog = lazily(async () => (await import('./changing/remove')).RemoveDialog)

const columns: ListColumn<EnvironmentRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ handle, displayName, critical }) => (
      <span className="inline-flex items-center gap-2">
        <Link {...to.runtimes(handle)} data-row className="link font-medium">
          {displayName}
        </Link>
        {critical && <CriticalBadge />}
      </span>
    ),
  },
  {
    key: 'handle',
    title: words.columns.handle,
    className: 'hidden sm:table-cell',
    cell: ({ handle }) => <code className="text-muted">{handle}</code>,
  },
  {
    key: 'runtimes',
    title: words.columns.runtimes,
    className: 'w-full',
    cell: ({ handle, runtimes }) => (
      <Counts counts={runtimes} empty={words.noRuntimes} link={(status) => to.runtimes(handle, status)} />
    ),
  },
  {
    key: 'age',
    title: words.columns.age,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
]

export function EnvironmentsPage() {
  const { create, edit } = useSearch({ from: `/shell${PATH.environments}` })
  const change = useSearchState<ListSearch>()
  const query = useInfiniteQuery(environmentPagesQuery)
  const [leaving, setLeaving] = useState<EnvironmentRowFragment>()
  const editing = query.data?.pages.flatMap((page) => page.nodes).find((each) => each.handle === edit)
  const blocked = useBlocked()('ENVIRONMENT_MGT_MANAGE_NONPROD')
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  return (
    <>
      <PageHead
        title={words.title}
        actions={
          <>
            <CopyCli command={lists.environments()} />
            <CopyGraphql document={EnvironmentsDocument} variables={{ first: PAGE_SIZE, after: null }} />
            {button}
          </>
        }
      />
      <List
        what={words.what}
        query={query}
        columns={[
          ...columns,
          {
            key: 'tryIt',
            title: tryItWords.setting.column,
            cell: (row) => <AllowTryIt environment={row} />,
          },
          {
            key: 'actions',
            title: <span className="sr-only">{words.columns.actions}</span>,
            className: 'hidden sm:table-cell text-right',
            cell: (row) => {
              const mayNotManage = mayNot(row.permissions, managing(row))
              return (
                <span className="inline-flex gap-1">
                  <Button
                    small
                    look="quiet"
                    aria-label={changing.editOf(row.displayName)}
                    blocked={mayNotManage}
                    onClick={() => change({ edit: row.handle })}
                  >
                    {strings.edit}
                  </Button>
                  <Button
                    small
                    look="quiet"
                    aria-label={changing.deleteOf(row.displayName)}
                    blocked={mayNotManage}
                    onClick={() => setLeaving(row)}
                  >
                    {strings.remove}
                  </Button>
                </span>
              )
            },
          },
        ]}
        rowKey={(row) => row.handle}
        empty={
          <Empty title={words.emptyTitle} action={button}>
            {words.emptyText}
          </Empty>
        }
      />
      {editing && !mayNot(editing.permissions, managing(editing)) && (
        <EditDialog
          target={{ kind: 'ENVIRONMENT', ...editing }}
          criticalBlocked={mayNot(editing.permissions, 'ENVIRONMENT_MGT_MANAGE')}
          onClose={() => change({ edit: undefined })}
        />
      )}
      {leaving && <RemoveDialog target={{ kind: 'ENVIRONMENT', ...leaving }} onClose={() => setLeaving(undefined)} />}
      {create && !blocked && <CreateEnvironment onClose={() => change({ create: undefined })} />}
    </>
  )
}
