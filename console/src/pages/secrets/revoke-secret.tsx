import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { RevokeSecretDocument, type SecretRowFragment } from '@/api/generated/operations'
import { PAGE_SIZE, secretQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { secrets } from '@/strings/secrets'
import { CopyCli } from '@/ui/copy'
import { Field, Select } from '@/ui/field'
import { notify } from '@/ui/notices'
import { cli } from '@/util/cli'
import { lazily } from '@/util/lazily'
import { exactTime } from '@/util/time'
import { useAction } from '@/util/use-action'
import { HangsOn } from './hangs'
import { GRACE_S, GRACES } from './spans'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const words = secrets.confirm

/** Says what hangs on the secret before it goes; critical environments ask for their handle. */
export function RevokeSecret({ secret, onClose }: { secret: SecretRowFragment; onClose: () => void }) {
  const { keyId, environment, runtimeCount } = secret
  const client = useQueryClient()
  const [graceS, setGraceS] = useState(0)
  const hangs = useQuery(secretQuery(keyId, PAGE_SIZE))
  const { run, pending, problem } = useAction(async () => {
    const { revokeSecret } = await graphql(RevokeSecretDocument, { keyId, graceSeconds: graceS || null })
    void client.invalidateQueries({ queryKey: ['secrets'] })
    void client.invalidateQueries({ queryKey: ['secret', keyId] })
    notify(
      graceS > 0
        ? words.doneGrace(keyId, exactTime(revokeSecret.effectiveAt))
        : words.done(keyId, revokeSecret.runtimeCount),
    )
    onClose()
  })
  const hasMi = hangs.data?.runtimes.nodes.some((runtime) => runtime.type === 'MI')
  return (
    <ConfirmDialog
      title={words.title(keyId)}
      about={words.hangs(runtimeCount)}
      submit={words.submit}
      environment={environment}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      {runtimeCount > 0 && (
        <div className="mb-3">
          <HangsOn keyId={keyId} />
        </div>
      )}
      <fieldset className="mb-3 space-y-2">
        <legend className="mb-1 font-medium">{words.when}</legend>
        <Choice checked={graceS === 0} title={words.atOnce} about={words.atOnceMeaning} onChoose={() => setGraceS(0)} />
        <Choice
          checked={graceS > 0}
          title={words.grace}
          about={hasMi ? `${words.graceMeaning} ${words.mi}` : words.graceMeaning}
          onChoose={() => setGraceS(GRACE_S)}
        />
      </fieldset>
      {graceS > 0 && (
        <Field label={words.graceFor}>
          {(wiring) => (
            <Select {...wiring} value={graceS} onChange={(event) => setGraceS(Number(event.target.value))}>
              {GRACES.map(([seconds, name]) => (
                <option key={seconds} value={seconds}>
                  {name}
                </option>
              ))}
            </Select>
          )}
        </Field>
      )}
      <CopyCli command={cli.revokeSecret(keyId, graceS, environment.critical ? environment.handle : null)} />
    </ConfirmDialog>
  )
}

type ChoiceProps = { checked: boolean; title: string; about: string; onChoose: () => void }

function Choice({ checked, title, about, onChoose }: ChoiceProps) {
  return (
    <label className="flex cursor-pointer items-start gap-2.5">
      <input type="radio" name="when" checked={checked} onChange={onChoose} className="mt-[3px] accent-solid" />
      <span>
        <span className="font-medium">{title}</span>
        <span className="block text-[12px] text-muted">{about}</span>
      </span>
    </label>
  )
}
