import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { RotateSecretDocument, type RotateSecretMutation, type SecretRowFragment } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { strings } from '@/strings/common'
import { secrets } from '@/strings/secrets'
import { confirm as confirmWords } from '@/strings/steering'
import { Button } from '@/ui/button'
import { TypedName, unnamed } from '@/ui/confirm'
import { CopyCli } from '@/ui/copy'
import { Field, Select } from '@/ui/field'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { cli } from '@/util/cli'
import { exactTime } from '@/util/time'
import { useAction } from '@/util/use-action'
import { ShownOnce } from '../runtimes/shown-once'
import { OVERLAP_S, OVERLAPS } from './spans'
import { Until } from './state'

const words = secrets.rotation

/** A new secret beside the old one, shown once, with the instant at which the old one ends. */
export function RotateSecret({ secret, onClose }: { secret: SecretRowFragment; onClose: () => void }) {
  const { keyId, environment } = secret
  const client = useQueryClient()
  const [overlapS, setOverlapS] = useState(OVERLAP_S)
  const [typed, setTyped] = useState('')
  const [rotated, setRotated] = useState<RotateSecretMutation['rotateSecret']>()
  const { run, pending, problem } = useAction(async () => {
    const answer = await graphql(RotateSecretDocument, { keyId, overlapSeconds: overlapS })
    void client.invalidateQueries({ queryKey: ['secrets'] })
    void client.invalidateQueries({ queryKey: ['secret', keyId] })
    setRotated(answer.rotateSecret)
  })
  const blocked = unnamed(environment, typed)
  return (
    <ShownOnce
      title={words.title(keyId)}
      about={words.about}
      generated={rotated?.generated}
      note={rotated && <OldEnds keyId={keyId} at={overlapS > 0 ? rotated.old.expiresAt : null} />}
      onClose={onClose}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!blocked && !pending) void run()
        }}
      >
        <Field label={words.overlap} hint={words.overlapHint} error={problem?.of('overlapSeconds')?.message}>
          {(wiring) => (
            <Select {...wiring} value={overlapS} onChange={(event) => setOverlapS(Number(event.target.value))}>
              {OVERLAPS.map(([seconds, name]) => (
                <option key={seconds} value={seconds}>
                  {name}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <TypedName environment={environment} value={typed} onChange={setTyped} />
        <ProblemText problem={problem} except={['overlapSeconds']} />
        <div className="mt-4 flex flex-wrap justify-end gap-2">
          <CopyCli command={cli.rotateSecret(keyId, overlapS)} />
          <Button onClick={onClose}>{strings.cancel}</Button>
          <Button look="solid" type="submit" aria-busy={pending} blocked={blocked}>
            {pending ? confirmWords.working : words.submit}
          </Button>
        </div>
      </form>
    </ShownOnce>
  )
}

function OldEnds({ keyId, at }: { keyId: string; at: string | null }) {
  return (
    <p className="mb-2">
      {at ? (
        <>
          <Said text={words.oldEnds(keyId)} /> <Until at={at} />, <span className="nums">{exactTime(at)}</span>.
        </>
      ) : (
        <Said text={words.oldEnded(keyId)} />
      )}
    </p>
  )
}
