import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { CreateIntegrationDocument, type RuntimeType } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { project as projectWords, form as words } from '@/strings/tenancy'
import { notify } from '@/ui/notices'
import { to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { CreateForm } from './create-form'
import { useHandle } from './use-handle'

const TYPES: RuntimeType[] = ['PY', 'BI', 'MI']

export function CreateIntegration({ project, onClose }: { project: string; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const name = useHandle('INTEGRATION', project)
  const [runtimeType, setRuntimeType] = useState<RuntimeType>('PY')
  const { run, pending, problem } = useAction(async () => {
    const input = { project, displayName: name.displayName.trim(), handle: name.handle, description: null, runtimeType }
    const { createIntegration } = await graphql(CreateIntegrationDocument, { input })
    void client.invalidateQueries({ queryKey: ['counts'] })
    notify(projectWords.created(createIntegration.displayName))
    await navigate(to.integration(project, createIntegration.handle))
  })
  return (
    <CreateForm
      title={projectWords.create}
      name={name}
      problem={problem}
      pending={pending}
      onSubmit={run}
      onClose={onClose}
    >
      <fieldset className="mb-3.5">
        <legend className="mb-1 font-medium">{words.type}</legend>
        <div className="divide-y divide-line rounded-md border border-edge">
          {TYPES.map((type) => (
            <label key={type} className="flex cursor-pointer items-start gap-2.5 px-3 py-2 hover:bg-hover">
              <input
                type="radio"
                name="runtime-type"
                checked={runtimeType === type}
                onChange={() => setRuntimeType(type)}
                className="mt-[3px] accent-solid"
              />
              <span>
                <span className="font-medium">{words.types[type][0]}</span> <code className="text-faint">{type}</code>
                <span className="block text-[12px] text-muted">{words.types[type][1]}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
    </CreateForm>
  )
}
