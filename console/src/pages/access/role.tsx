import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { DeleteRoleDocument, RoleDocument, type RoleQuery } from '@/api/generated/people'
import { roleQuery } from '@/api/people-queries'
import { LARGEST_PAGE } from '@/api/queries'
import { graphql } from '@/api/request'
import { access, roles as words } from '@/strings/access'
import { Badge } from '@/ui/badge'
import { Button, buttonClass } from '@/ui/button'
import { openTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { More } from '@/ui/more'
import { notify } from '@/ui/notices'
import { Card } from '@/ui/page'
import { PermissionChecks } from '@/ui/permission-checks'
import { CouldNotLoad, Missing, Skeleton } from '@/ui/states'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { useAction } from '@/util/use-action'
import { AccessFrame } from './frame'
import { Mappings } from './mappings'
import { useAccessChanged } from './use-access-changed'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const RoleForm = lazily(async () => (await import('./role-form')).RoleForm)

type RoleFacts = NonNullable<RoleQuery['role']>

/** One role: what it permits, and who has it where. */
export const RolePage = openTo(
  ['USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_MANAGE_ROLES', 'USER_MGT_UPDATE_USERS'],
  access.tabs.roles,
  Role,
)

function Role() {
  const { roleId } = useParams({ from: `/shell${PATH.role}` })
  const [first, setFirst] = useState(LARGEST_PAGE)
  const query = useQuery(roleQuery(roleId, first))
  if (query.isPending) return <Skeleton label={words.one} rows={8} />
  if (query.data === null) return <Missing what={words.kind} />
  if (query.data === undefined) {
    return <CouldNotLoad what={words.one} error={query.error} onRetry={() => void query.refetch()} />
  }
  return <Known role={query.data} onMore={() => setFirst(first + LARGEST_PAGE)} />
}

function Known({ role, onMore }: { role: RoleFacts; onMore: () => void }) {
  const blocked = useBlocked()
  const [open, setOpen] = useState<'edit' | 'remove'>()
  const mayNot = blocked('USER_MGT_MANAGE_ROLES')
  const fixed = mayNot ?? (role.builtIn ? words.builtInText : undefined)
  const { nodes, totalCount } = role.mappings
  return (
    <AccessFrame
      title={role.name}
      actions={
        <>
          <CopyGraphql document={RoleDocument} variables={{ id: role.id, first: LARGEST_PAGE }} />
          {mayNot ? (
            <Button blocked={mayNot}>{words.copy}</Button>
          ) : (
            <Link {...to.newRole(role.id)} className={buttonClass()}>
              {words.copy}
            </Link>
          )}
          <Button blocked={fixed} onClick={() => setOpen('edit')}>
            {words.edit}
          </Button>
          <Button
            blocked={fixed ?? (role.groupCount > 0 ? words.mappedTip(role.groupCount) : undefined)}
            onClick={() => setOpen('remove')}
          >
            {words.remove}
          </Button>
        </>
      }
    >
      <p className="-mt-1 mb-3 flex flex-wrap items-center gap-x-2 text-muted">
        {role.builtIn && <Badge text={access.builtIn} />}
        <span>{role.description}</span>
        {role.builtIn && <span>{words.builtInText}</span>}
      </p>
      <div className="grid items-start gap-x-4 xl:grid-cols-2">
        <Card title={words.permissions} label={words.permissions}>
          <div className="px-3.5 py-3">
            <PermissionChecks chosen={role.permissions} />
          </div>
        </Card>
        <Card title={words.mappedTo} label={words.mappedTo}>
          <Mappings
            label={words.mappedTo}
            rows={nodes}
            empty={words.notMapped}
            about="role"
            blocked={blocked('USER_MGT_UPDATE_GROUP_ROLES')}
          />
          <More shown={nodes.length} total={totalCount} onMore={onMore} />
        </Card>
      </div>
      {open === 'edit' && <RoleForm role={role} onClose={() => setOpen(undefined)} />}
      {open === 'remove' && <RemoveRole role={role} onClose={() => setOpen(undefined)} />}
    </AccessFrame>
  )
}

function RemoveRole({ role, onClose }: { role: RoleFacts; onClose: () => void }) {
  const changed = useAccessChanged()
  const navigate = useNavigate()
  const { run, pending, problem } = useAction(async () => {
    await graphql(DeleteRoleDocument, { id: role.id })
    notify(words.removed(role.name))
    await navigate(to.roles())
    changed()
  })
  return (
    <ConfirmDialog
      title={words.removeTitle(role.name)}
      about={words.removeAbout}
      submit={words.remove}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}
