import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { UpdateEnvironmentDocument, UpdateIntegrationDocument, UpdateProjectDocument } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { changing as words } from '@/strings/changing'
import { strings } from '@/strings/common'
import { form } from '@/strings/tenancy'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { TextField } from '@/ui/text-field'
import { useAction } from '@/util/use-action'
import type { Target } from './remove'

type EditProps = {
  target: Target & { description?: string }
  /** Why its criticality may not be changed, or undefined. */
  criticalBlocked?: string | undefined
  onClose: () => void
}

/** Names and description, of an environment its criticality as well; the handle stays. */
export function EditDialog({ target, criticalBlocked, onClose }: EditProps) {
  const { kind, handle, project = '' } = target
  const client = useQueryClient()
  const [name, setName] = useState(target.displayName)
  const [description, setDescription] = useState(target.description ?? '')
  const [critical, setCritical] = useState(target.critical ?? false)
  const { run, pending, problem } = useAction(async () => {
    const displayName = name.trim()
    const input = { displayName, description: description.trim() }
    if (kind === 'PROJECT') await graphql(UpdateProjectDocument, { handle, input })
    else if (kind === 'INTEGRATION') await graphql(UpdateIntegrationDocument, { project, handle, input })
    else await graphql(UpdateEnvironmentDocument, { handle, input: { displayName, critical } })
    notify(strings.saved(displayName))
    void client.invalidateQueries({ queryKey: ['counts'] })
    onClose()
  })
  return (
    <FormDialog
      title={words.edit[kind]}
      about={words.handle(handle)}
      submit={strings.save}
      pending={pending}
      problem={problem}
      fields={['displayName', 'description']}
      onClose={onClose}
      onSubmit={() => name.trim() && void run()}
    >
      <TextField
        label={form.displayName}
        value={name}
        onChange={setName}
        error={problem?.of('displayName')?.message ?? (name.trim() ? undefined : form.needName)}
      />
      {kind === 'ENVIRONMENT' ? (
        <label className="flex cursor-pointer items-start gap-2.5">
          <input
            type="checkbox"
            checked={critical}
            disabled={Boolean(criticalBlocked)}
            onChange={(event) => setCritical(event.target.checked)}
            className="mt-[3px] accent-solid"
          />
          <span>
            <span className="font-medium">{form.critical}</span>
            <span className="block text-[12px] text-muted">
              {criticalBlocked ?? (target.critical ? words.criticalBoth : form.criticalHint)}
            </span>
          </span>
        </label>
      ) : (
        <TextField
          label={form.description}
          hint={form.optional}
          value={description}
          onChange={setDescription}
          error={problem?.of('description')?.message}
        />
      )}
    </FormDialog>
  )
}
