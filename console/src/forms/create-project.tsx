import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { CreateProjectDocument } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { projects, form as words } from '@/strings/tenancy'
import { Field, inputClass } from '@/ui/field'
import { notify } from '@/ui/notices'
import { to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { CreateForm } from './create-form'
import { useHandle } from './use-handle'

export function CreateProject({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const name = useHandle('PROJECT')
  const [description, setDescription] = useState('')
  const { run, pending, problem } = useAction(async () => {
    const input = { displayName: name.displayName.trim(), handle: name.handle, description }
    const { createProject } = await graphql(CreateProjectDocument, { input })
    void client.invalidateQueries({ queryKey: ['counts'] })
    notify(projects.created(createProject.displayName))
    await navigate(to.project(createProject.handle))
  })
  return (
    <CreateForm
      title={projects.create}
      name={name}
      problem={problem}
      pending={pending}
      onSubmit={run}
      onClose={onClose}
    >
      <Field label={words.description} hint={words.optional} error={problem?.of('description')?.message}>
        {(wiring) => (
          <input
            {...wiring}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
    </CreateForm>
  )
}
