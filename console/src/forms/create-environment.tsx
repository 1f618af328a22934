import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { CreateEnvironmentDocument } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { environments, form as words } from '@/strings/tenancy'
import { notify } from '@/ui/notices'
import { useBlocked } from '@/util/permissions'
import { useAction } from '@/util/use-action'
import { CreateForm } from './create-form'
import { useHandle } from './use-handle'

export function CreateEnvironment({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const name = useHandle('ENVIRONMENT')
  const [critical, setCritical] = useState(false)
  const blocked = useBlocked()('ENVIRONMENT_MGT_MANAGE')
  const { run, pending, problem } = useAction(async () => {
    const input = { displayName: name.displayName.trim(), handle: name.handle, critical }
    const { createEnvironment } = await graphql(CreateEnvironmentDocument, { input })
    void client.invalidateQueries({ queryKey: ['counts'] })
    notify(environments.created(createEnvironment.displayName))
    onClose()
  })
  return (
    <CreateForm
      title={environments.create}
      name={name}
      problem={problem}
      pending={pending}
      onSubmit={run}
      onClose={onClose}
    >
      <label className="flex cursor-pointer items-start gap-2.5">
        <input
          type="checkbox"
          checked={critical}
          disabled={Boolean(blocked)}
          onChange={(event) => setCritical(event.target.checked)}
          className="mt-[3px] accent-solid"
        />
        <span>
          <span className="font-medium">{words.critical}</span>
          <span className="block text-[12px] text-muted">{blocked ?? words.criticalHint}</span>
        </span>
      </label>
    </CreateForm>
  )
}
