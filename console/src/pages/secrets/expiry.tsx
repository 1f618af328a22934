import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { SetSecretExpiryDocument } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { secrets } from '@/strings/secrets'
import { Button } from '@/ui/button'
import { TypedName, unnamed } from '@/ui/confirm'
import { Field, inputClass } from '@/ui/field'
import { notify } from '@/ui/notices'
import { ProblemText } from '@/ui/problem-text'
import { serverNow } from '@/util/clock'
import { exactTime } from '@/util/time'
import { useAction } from '@/util/use-action'
import type { SecretFacts } from './hangs'
import { instantOf, localOf } from './spans'

const words = secrets.expiry

/** Sets, moves or removes the instant at which a secret ends. */
export function Expiry({ secret }: { secret: SecretFacts }) {
  const { keyId, environment, expiresAt } = secret
  const client = useQueryClient()
  const [local, setLocal] = useState(expiresAt ? localOf(expiresAt) : '')
  const [typed, setTyped] = useState('')
  const [tried, setTried] = useState(false)
  const { run, pending, problem } = useAction(async (at: string | null) => {
    await graphql(SetSecretExpiryDocument, { keyId, expiresAt: at })
    void client.invalidateQueries({ queryKey: ['secrets'] })
    void client.invalidateQueries({ queryKey: ['secret', keyId] })
    setTyped('')
    setTried(false)
    if (at === null) setLocal('')
    notify(at ? words.setDone(keyId, exactTime(at)) : words.removed(keyId))
  })
  const at = instantOf(local)
  const wrong = at === undefined ? words.needed : Date.parse(at) <= serverNow() ? words.past : undefined
  const refused = unnamed(environment, typed)
  return (
    <form
      noValidate
      aria-label={words.title}
      onSubmit={(event) => {
        event.preventDefault()
        setTried(true)
        if (at && !wrong && !refused && !pending) void run(at)
      }}
    >
      <h3 className="mb-0.5 font-medium">{words.title}</h3>
      <p className="mb-2 text-muted">{words.about}</p>
      <Field label={words.at} error={problem?.of('expiresAt')?.message ?? (tried ? wrong : undefined)}>
        {(wiring) => (
          <input
            {...wiring}
            type="datetime-local"
            value={local}
            onChange={(event) => setLocal(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <TypedName environment={environment} value={typed} onChange={setTyped} />
      <ProblemText problem={problem} except={['expiresAt']} />
      <div className="flex flex-wrap gap-2">
        <Button type="submit" blocked={refused} aria-busy={pending}>
          {expiresAt ? words.move : words.set}
        </Button>
        {expiresAt && (
          <Button look="quiet" blocked={refused} onClick={() => !pending && void run(null)}>
            {words.remove}
          </Button>
        )}
      </div>
    </form>
  )
}
