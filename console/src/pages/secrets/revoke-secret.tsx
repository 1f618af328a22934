import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { RevokeSecretDocument, type SecretRowFragment } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { strings } from '@/strings/common'
import { secrets } from '@/strings/secrets'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { Field, inputClass } from '@/ui/field'
import { notify } from '@/ui/notices'
import { ProblemText } from '@/ui/problem-text'
import { useAction } from '@/util/use-action'

const words = secrets.confirm

/** Says what hangs on the secret before it goes; critical environments ask for their handle. */
export function RevokeSecret({ secret, onClose }: { secret: SecretRowFragment; onClose: () => void }) {
  const { keyId, environment, runtimeCount } = secret
  const client = useQueryClient()
  const [typed, setTyped] = useState('')
  const { run, pending, problem } = useAction(async () => {
    const { revokeSecret } = await graphql(RevokeSecretDocument, { keyId })
    void client.invalidateQueries({ queryKey: ['secrets'] })
    notify(words.done(keyId, revokeSecret.runtimeCount))
    onClose()
  })
  const confirmed = !environment.critical || typed === environment.handle
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={words.title(keyId)}
      about={words.hangs(runtimeCount)}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (confirmed && !pending) void run()
        }}
      >
        <p className="mb-3">{words.final}</p>
        {environment.critical && (
          <Field label={words.type(environment.handle)}>
            {(wiring) => (
              <input
                {...wiring}
                value={typed}
                autoComplete="off"
                spellCheck={false}
                onChange={(event) => setTyped(event.target.value)}
                className={`${inputClass} mono`}
              />
            )}
          </Field>
        )}
        <ProblemText problem={problem} except={[]} />
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>{strings.cancel}</Button>
          <Button
            look="danger"
            type="submit"
            aria-busy={pending}
            blocked={!confirmed && words.mismatch(environment.handle)}
          >
            {pending ? words.submitting : words.submit}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
