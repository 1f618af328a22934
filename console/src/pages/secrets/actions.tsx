import { useQueryClient } from '@tanstack/react-query'
import { RestoreSecretDocument, type SecretRowFragment } from '@/api/generated/operations'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { secrets as words } from '@/strings/secrets'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { useAction } from '@/util/use-action'
import { useSecretBlocked } from './use-secret-blocked'

type SecretActionsProps = {
  secret: SecretRowFragment
  onRevoke: () => void
  onRotate: () => void
  look?: 'plain' | 'quiet'
}

/** What can be done with a secret as it stands; what cannot says why. */
export function SecretActions({ secret, onRevoke, onRotate, look = 'quiet' }: SecretActionsProps) {
  const { keyId, environment, bound, rotatedBy, state } = secret
  const client = useQueryClient()
  const mayNot = useSecretBlocked(environment)
  const { run, pending } = useAction(async () => {
    try {
      await graphql(RestoreSecretDocument, { keyId })
      notify(words.restored(keyId))
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
    void client.invalidateQueries({ queryKey: ['secrets'] })
    void client.invalidateQueries({ queryKey: ['secret', keyId] })
  })
  if (state === 'REVOKED') return null
  if (state === 'REVOKING') {
    return (
      <>
        <Button
          small
          aria-label={words.restoreLabel(keyId)}
          blocked={mayNot}
          aria-busy={pending}
          onClick={() => !pending && void run()}
        >
          {words.restore}
        </Button>
        <Button small look={look} aria-label={words.revokeLabel(keyId)} blocked={mayNot} onClick={onRevoke}>
          {words.revoke}
        </Button>
      </>
    )
  }
  const cannotRotate = !bound ? words.rotation.unbound : rotatedBy ? words.rotation.replaced(rotatedBy) : undefined
  return (
    <>
      <Button
        small
        look={look}
        aria-label={words.rotateLabel(keyId)}
        blocked={mayNot ?? cannotRotate}
        onClick={onRotate}
      >
        {words.rotate}
      </Button>
      <Button small look={look} aria-label={words.revokeLabel(keyId)} blocked={mayNot} onClick={onRevoke}>
        {words.revoke}
      </Button>
    </>
  )
}
