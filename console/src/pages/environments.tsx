import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { type EnvironmentRowFragment, EnvironmentsDocument } from '@/api/generated/operations'
import { environmentPagesQuery, PAGE_SIZE } from '@/api/queries'
import { CreateEnvironment } from '@/forms/create-environment'
import { environments as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { Empty } from '@/ui/states'
import { Counts, CriticalBadge } from '@/ui/status'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'

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
    cell: ({ runtimes }) => <Counts counts={runtimes} empty={words.noRuntimes} />,
  },
  {
    key: 'age',
    title: words.columns.age,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
]

export function EnvironmentsPage() {
  const { create } = useSearch({ from: `/shell${PATH.environments}` })
  const change = useSearchState<ListSearch>()
  const query = useInfiniteQuery(environmentPagesQuery)
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
            <CopyGraphql document={EnvironmentsDocument} variables={{ first: PAGE_SIZE, after: null }} />
            {button}
          </>
        }
      />
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => row.handle}
        empty={
          <Empty title={words.emptyTitle} action={button}>
            {words.emptyText}
          </Empty>
        }
      />
      {create && !blocked && <CreateEnvironment onClose={() => change({ create: undefined })} />}
    </>
  )
}
