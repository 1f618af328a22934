import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { DeleteGroupDocument, GroupDocument, type GroupQuery } from '@/api/generated/people'
import { groupQuery } from '@/api/people-queries'
import { PAGE_SIZE } from '@/api/queries'
import { graphql } from '@/api/request'
import { access, groups as words } from '@/strings/access'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { openTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { More } from '@/ui/more'
import { notify } from '@/ui/notices'
import { Card } from '@/ui/page'
import { CouldNotLoad, Missing, Skeleton } from '@/ui/states'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { useAction } from '@/util/use-action'
import { AccessFrame } from './frame'
import { Mappings } from './mappings'
import { Members } from './members'
import { useAccessChanged } from './use-access-changed'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const GroupForm = lazily(async () => (await import('./group-form')).GroupForm)
const MapRole = lazily(async () => (await import('./map-role')).MapRole)

export type GroupFacts = NonNullable<GroupQuery['group']>

/** One group: who is in it, and which roles it has where. */
export const GroupPage = openTo(['USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_UPDATE_USERS'], access.tabs.groups, Group)

function Group() {
  const { groupId } = useParams({ from: `/shell${PATH.group}` })
  const { search = '' } = useSearch({ from: `/shell${PATH.group}` })
  const [first, setFirst] = useState(PAGE_SIZE)
  const [mappings, setMappings] = useState(PAGE_SIZE)
  const query = useQuery({ ...groupQuery(groupId, search, first, mappings), placeholderData: keepPreviousData })
  if (query.isPending) return <Skeleton label={words.one} rows={8} />
  if (query.data === null) return <Missing what={words.kind} />
  if (query.data === undefined) {
    return <CouldNotLoad what={words.one} error={query.error} onRetry={() => void query.refetch()} />
  }
  return (
    <Known
      group={query.data}
      search={search}
      onMoreMembers={() => setFirst(first + 2 * PAGE_SIZE)}
      onMoreMappings={() => setMappings(mappings + 2 * PAGE_SIZE)}
    />
  )
}

type KnownProps = { group: GroupFacts; search: string; onMoreMembers: () => void; onMoreMappings: () => void }

function Known({ group, search, onMoreMembers, onMoreMappings }: KnownProps) {
  const blocked = useBlocked()
  const [open, setOpen] = useState<'edit' | 'map' | 'remove'>()
  const close = () => setOpen(undefined)
  const mayNot = blocked('USER_MGT_MANAGE_GROUPS') ?? (group.builtIn ? words.builtInTip : undefined)
  const mayNotMap = blocked('USER_MGT_UPDATE_GROUP_ROLES')
  const { nodes, totalCount } = group.mappings
  return (
    <AccessFrame
      title={group.name}
      actions={
        <>
          <CopyGraphql document={GroupDocument} variables={{ id: group.id, first: PAGE_SIZE, mappings: PAGE_SIZE }} />
          <Button blocked={mayNot} onClick={() => setOpen('edit')}>
            {words.edit}
          </Button>
          <Button blocked={mayNot} onClick={() => setOpen('remove')}>
            {words.remove}
          </Button>
        </>
      }
    >
      <p className="-mt-1 mb-3 flex flex-wrap items-center gap-x-2 text-muted">
        {group.builtIn && <Badge text={access.builtIn} tip={words.builtInTip} />}
        {group.project && <span>{words.ofProject(group.project.displayName)}.</span>}
        {group.description && <span>{group.description}</span>}
        <span>
          {access.created} <Age at={group.createdAt} ago /> {access.by} {group.createdBy}.
        </span>
      </p>
      <Card
        title={words.mappings}
        label={words.mappings}
        beside={<span className="text-muted">{words.mappingsText}</span>}
        actions={
          <Button small look="solid" blocked={mayNotMap} onClick={() => setOpen('map')}>
            {words.mapRole}
          </Button>
        }
      >
        <Mappings label={words.mappings} rows={nodes} empty={words.noMappings} about="group" blocked={mayNotMap} />
        <More shown={nodes.length} total={totalCount} onMore={onMoreMappings} />
      </Card>
      <Members group={group} search={search} onMore={onMoreMembers} />
      {open === 'edit' && <GroupForm group={group} onClose={close} />}
      {open === 'map' && <MapRole group={group} onClose={close} />}
      {open === 'remove' && <RemoveGroup group={group} onClose={close} />}
    </AccessFrame>
  )
}

function RemoveGroup({ group, onClose }: { group: GroupFacts; onClose: () => void }) {
  const changed = useAccessChanged()
  const navigate = useNavigate()
  const mapped = group.mappings.totalCount
  const { run, pending, problem } = useAction(async () => {
    await graphql(DeleteGroupDocument, { id: group.id, cascade: mapped > 0 })
    notify(words.removed(group.name))
    await navigate(to.groups())
    changed()
  })
  return (
    <ConfirmDialog
      title={words.removeTitle(group.name)}
      about={words.removeAbout(group.memberCount, mapped)}
      submit={words.remove}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}
