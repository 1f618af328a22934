import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import { type IntegrationRowFragment, IntegrationsDocument } from '@/api/generated/operations'
import { integrationsQuery, PAGE_SIZE, projectQuery } from '@/api/queries'
import { changing } from '@/strings/changing'
import { strings, typeNames } from '@/strings/common'
import { missing } from '@/strings/shell'
import { projects, project as words } from '@/strings/tenancy'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { SortSelect } from '@/ui/sort-select'
import { CouldNotLoad, Empty, Missing } from '@/ui/states'
import { Counts } from '@/ui/status'
import { TYPES } from '@/util/choices'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { ProjectTally } from './drift/tally'
import { NotWell } from './home/not-well'

const CreateIntegration = lazily(async () => (await import('@/forms/create-integration')).CreateIntegration)
const EditDialog = lazily(async () => (await import('./changing/edit')).EditDialog)
const DangerZone = lazily(async () => (await import('./changing/remove')).DangerZone)

const columns: ListColumn<IntegrationRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    cell: ({ project, handle, displayName }) => (
      <Link {...to.integration(project.handle, handle)} data-row className="link font-medium">
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
    key: 'type',
    title: words.columns.type,
    cell: ({ runtimeType }) => <span data-tip={typeNames[runtimeType].long}>{typeNames[runtimeType].short}</span>,
  },
  {
    key: 'runtimes',
    title: words.columns.runtimes,
    className: 'w-full',
    cell: ({ project, handle, runtimes }) => (
      <Counts
        counts={runtimes}
        empty={projects.noRuntimes}
        link={(status) => to.integrationRuntimes(project.handle, handle, { status })}
      />
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

export function ProjectPage() {
  const { project } = useParams({ from: `/shell${PATH.project}` })
  const { search = '', sort, type, create, edit } = useSearch({ from: `/shell${PATH.project}` })
  const change = useSearchState<ListSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const known = useQuery(projectQuery(project))
  const query = useInfiniteQuery({
    ...integrationsQuery(project, search, PAGE_SIZE, { runtimeType: type ?? null, sort: sort ?? null }),
    placeholderData: keepPreviousData,
  })
  const held = known.data?.permissions ?? []
  const blocked = known.data ? mayNot(held, 'INTEGRATION_MGT_MANAGE') : strings.loading
  if (known.data === null) return <Missing what={missing.kinds.project} />
  if (known.isError && !known.data) {
    return <CouldNotLoad what={words.what} error={known.error} onRetry={() => void known.refetch()} />
  }
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  const name = known.data?.displayName ?? project
  return (
    <>
      <PageHead
        title={name}
        early={!known.data}
        note={
          known.data && (
            <span className="flex flex-wrap items-center gap-x-4">
              <Counts
                counts={known.data.runtimes}
                empty={projects.noRuntimes}
                link={(status) => to.projectRuntimes(project, { status })}
              />
              <ProjectTally project={project} />
            </span>
          )
        }
        actions={
          <>
            <CopyCli command={lists.integrations(project, search, type)} />
            <CopyGraphql
              document={IntegrationsDocument}
              variables={{ project, runtimeType: type, search: search || null, sort, first: PAGE_SIZE, after: null }}
            />
            <SearchBox label={words.search} value={search} onSearch={onSearch} />
            <Choose
              label={changing.typeFilter}
              all={changing.allTypes}
              value={type}
              onChange={(next) => change({ type: next }, true)}
              choices={TYPES.map((each) => [each, typeNames[each].short])}
            />
            <SortSelect value={sort} onChange={(next) => change({ sort: next }, true)} />
            <Button
              blocked={known.data ? mayNot(held, 'PROJECT_MGT_EDIT') : strings.loading}
              onClick={() => change({ edit: project })}
            >
              {changing.edit.PROJECT}
            </Button>
            {button}
          </>
        }
      />
      {known.data?.description && <p className="-mt-2 mb-3 max-w-prose text-muted">{known.data.description}</p>}
      {known.data && known.data.runtimes.total > 0 && <NotWell counts={known.data.runtimes} within={{ project }} />}
      <List
        what={words.integrationsWhat}
        query={query}
        columns={columns}
        rowKey={(row) => row.handle}
        search={search}
        filtered={type !== undefined}
        onClearSearch={() => change({ search: undefined, type: undefined })}
        empty={
          <Empty title={words.emptyTitle(name)} action={button}>
            {words.emptyText}
          </Empty>
        }
      />
      {known.data && (
        <DangerZone
          target={{ kind: 'PROJECT', handle: project, displayName: name }}
          blocked={mayNot(held, 'PROJECT_MGT_MANAGE')}
        />
      )}
      {known.data && edit && !mayNot(held, 'PROJECT_MGT_EDIT') && (
        <EditDialog
          target={{ kind: 'PROJECT', handle: project, displayName: name, description: known.data.description }}
          onClose={() => change({ edit: undefined })}
        />
      )}
      {create && !blocked && <CreateIntegration project={project} onClose={() => change({ create: undefined })} />}
    </>
  )
}
