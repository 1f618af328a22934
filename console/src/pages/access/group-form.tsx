import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { CreateGroupDocument, type GroupRowFragment, UpdateGroupDocument } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { access, groups as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { TextField } from '@/ui/text-field'
import { to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { useAccessChanged } from './use-access-changed'

/** Makes a group and opens it, or changes a known one. */
export function GroupForm({ group, onClose }: { group?: GroupRowFragment; onClose: () => void }) {
  const changed = useAccessChanged()
  const navigate = useNavigate()
  const [name, setName] = useState(group?.name ?? '')
  const [description, setDescription] = useState(group?.description ?? '')
  const [tried, setTried] = useState(false)
  const { run, pending, problem } = useAction(async () => {
    const input = { name: name.trim(), description: description.trim() }
    if (group) {
      await graphql(UpdateGroupDocument, { id: group.id, input })
      notify(strings.saved(input.name))
      onClose()
    } else {
      const { createGroup } = await graphql(CreateGroupDocument, { input })
      notify(words.createdNote(input.name))
      await navigate(to.group(createGroup.id))
    }
    changed()
  })
  return (
    <FormDialog
      title={group ? words.edit : words.create}
      submit={group ? strings.save : words.create}
      pending={pending}
      problem={problem}
      fields={['name', 'description']}
      onClose={onClose}
      onSubmit={() => {
        setTried(true)
        if (name.trim()) void run()
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
    </FormDialog>
  )
}
