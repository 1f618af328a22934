import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import { type ProjectRowFragment, ProjectsDocument } from '@/api/generated/operations'
import { PAGE_SIZE, projectsQuery } from '@/api/queries'
import { projects as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { SortSelect } from '@/ui/sort-select'
import { Empty } from '@/ui/states'
import { Counts } from '@/ui/status'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'

const CreateProject = lazily(async () => (await import('@/forms/create-project')).CreateProject)

const columns: ListColumn<ProjectRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ handle, displayName }) => (
      <Link {...to.project(handle)} data-row className="link font-medium">
        {displayName}
      </Link>
    ),
  },
  {
    key: 'handle',
    title: words.columns.handle,
    className: 'hidden sm:table-cell',
    cell: ({ handle }) => <code className="text-muted">{handle}</code>,
  },
  {
    key: 'integrations',
    title: words.columns.integrations,
    className: 'text-right',
    cell: ({ integrationCount }) => integrationCount,
  },
  {
    key: 'runtimes',
    title: words.columns.runtimes,
    className: 'w-full',
    cell: ({ handle, runtimes }) => (
      <Counts counts={runtimes} empty={words.noRuntimes} link={(status) => to.projectRuntimes(handle, { status })} />
    ),
  },
  {
    key: 'by',
    title: words.columns.by,
    className: 'hidden md:table-cell text-muted',
    cell: ({ createdBy }) => createdBy,
  },
  {
    key: 'age',
    title: words.columns.age,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
]

export function ProjectsPage() {
  const { search = '', sort, create } = useSearch({ from: `/shell${PATH.projects}` })
  const change = useSearchState<ListSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const query = useInfiniteQuery({
    ...projectsQuery(search, PAGE_SIZE, sort ?? null),
    placeholderData: keepPreviousData,
  })
  const blocked = useBlocked()('PROJECT_MGT_MANAGE')
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
            <CopyCli command={lists.projects(search)} />
            <CopyGraphql
              document={ProjectsDocument}
              variables={{ search: search || null, sort, first: PAGE_SIZE, after: null }}
            />
            <SearchBox label={words.search} value={search} onSearch={onSearch} />
            <SortSelect value={sort} onChange={(next) => change({ sort: next }, true)} />
            {button}
          </>
        }
      />
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => row.handle}
        search={search}
        onClearSearch={() => onSearch('')}
        empty={
          <Empty title={words.emptyTitle} action={button}>
            {words.emptyText}
          </Empty>
        }
      />
      {create && !blocked && <CreateProject onClose={() => change({ create: undefined })} />}
    </>
  )
}
