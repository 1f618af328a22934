import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { GenerateSecretDocument, type GenerateSecretMutation } from '@/api/generated/operations'
import { environmentsQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { strings } from '@/strings/common'
import { runtimes, addRuntime as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CopyCli } from '@/ui/copy'
import { Field, Select } from '@/ui/field'
import { ProblemText } from '@/ui/problem-text'
import { CouldNotLoad } from '@/ui/states'
import { cli } from '@/util/cli'
import { useAction } from '@/util/use-action'
import { useGenerateBlocked } from '../secrets/use-generate-blocked'
import { ShownOnce } from './shown-once'

type Target = { project: string; integration: string }
/** Lives in this component's state alone: not in the address, not in storage, not in a cache. */
type Generated = GenerateSecretMutation['generateSecret']

type AddRuntimeProps = { environment: string; target?: Target | undefined; onClose: () => void }

export function AddRuntime({ environment, target, onClose }: AddRuntimeProps) {
  const [generated, setGenerated] = useState<Generated>()
  return (
    <ShownOnce title={words.title} about={words.about} generated={generated} onClose={onClose}>
      <Choose environment={environment} target={target} onGenerated={setGenerated} onCancel={onClose} />
    </ShownOnce>
  )
}

type ChooseProps = {
  environment: string
  target: Target | undefined
  onGenerated: (generated: Generated) => void
  onCancel: () => void
}

function Choose({ environment, target, onGenerated, onCancel }: ChooseProps) {
  const environments = useQuery(environmentsQuery)
  const client = useQueryClient()
  const [chosen, setChosen] = useState(environment)
  const [tried, setTried] = useState(false)
  const known = environments.data?.nodes ?? []
  const one = known.find((each) => each.handle === chosen)
  const mayNot = useGenerateBlocked(one, target)
  const blocked = one && mayNot
  const { run, pending, problem } = useAction(async () => {
    const input = { environment: chosen, project: target?.project ?? null, integration: target?.integration ?? null }
    const answer = await graphql(GenerateSecretDocument, { input })
    void client.invalidateQueries({ queryKey: ['secrets'] })
    onGenerated(answer.generateSecret)
  })
  if (environments.isError) {
    return (
      <CouldNotLoad
        what={runtimes.environments}
        error={environments.error}
        onRetry={() => void environments.refetch()}
      />
    )
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        setTried(true)
        if (chosen && !blocked && !pending) void run()
      }}
    >
      <Field
        label={words.environment}
        hint={words.environmentHint}
        error={problem?.of('environment')?.message ?? (tried && !chosen ? words.choose : undefined)}
      >
        {(wiring) => (
          <Select {...wiring} value={chosen} onChange={(event) => setChosen(event.target.value)}>
            <option value="">{words.choose}</option>
            {known.map(({ handle, displayName, critical }) => (
              <option key={handle} value={handle}>
                {displayName} ({handle}){critical ? ` – ${strings.critical}` : ''}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <p className="text-muted">{target ? words.bound(`${target.project} / ${target.integration}`) : words.unbound}</p>
      <ProblemText problem={problem} except={['environment']} />
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        {chosen && <CopyCli command={cli.generateSecret({ ...target, environment: chosen })} />}
        <Button onClick={onCancel}>{strings.cancel}</Button>
        <Button look="solid" type="submit" aria-busy={pending} blocked={blocked}>
          {pending ? words.generating : words.generate}
        </Button>
      </div>
    </form>
  )
}
