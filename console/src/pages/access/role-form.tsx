import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { CreateRoleDocument, type RoleRowFragment, UpdateRoleDocument } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { access, roles as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { PermissionChecks } from '@/ui/permission-checks'
import { TextField } from '@/ui/text-field'
import { to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { useAccessChanged } from './use-access-changed'

type RoleFormProps = {
  /** The role to change. */
  role?: RoleRowFragment
  /** The role that a new one begins as a copy of. */
  original?: RoleRowFragment | undefined
  onClose: () => void
}

/** Makes a role, from nothing or from a copy, and opens it; or changes one of our own. */
export function RoleForm({ role, original, onClose }: RoleFormProps) {
  const changed = useAccessChanged()
  const navigate = useNavigate()
  const from = role ?? original
  const [name, setName] = useState(role?.name ?? (original ? words.copyName(original.name) : ''))
  const [description, setDescription] = useState(from?.description ?? '')
  const [permissions, setPermissions] = useState(from?.permissions ?? [])
  const [tried, setTried] = useState(false)
  const { run, pending, problem } = useAction(async () => {
    const input = { name: name.trim(), description: description.trim(), permissions }
    if (role) {
      await graphql(UpdateRoleDocument, { id: role.id, input })
      notify(strings.saved(input.name))
      onClose()
    } else {
      const { createRole } = await graphql(CreateRoleDocument, { input })
      notify(words.createdNote(input.name))
      await navigate(to.role(createRole.id))
    }
    changed()
  })
  const title = role ? words.edit : original ? words.copyTitle(original.name) : words.create
  return (
    <FormDialog
      wide
      title={title}
      submit={role ? strings.save : words.create}
      pending={pending}
      problem={problem}
      fields={['name', 'description']}
      onClose={onClose}
      onSubmit={() => {
        setTried(true)
        if (name.trim() && permissions.length > 0) void run()
      }}
    >
      <TextField
        label={access.name}
        value={name}
        onChange={setName}
        error={problem?.of('name')?.message ?? (tried && !name.trim() ? access.needName : undefined)}
      />
      <TextField
        label={access.description}
        value={description}
        onChange={setDescription}
        error={problem?.of('description')?.message}
      />
      <PermissionChecks chosen={permissions} onChange={setPermissions} />
      {tried && permissions.length === 0 && <p className="mt-2 text-bad">{words.needPermission}</p>}
    </FormDialog>
  )
}
