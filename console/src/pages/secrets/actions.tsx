import { useQueryClient } from '@tanstack/react-query'
import { RestoreSecretDocument, type SecretRowFragment } from '@/api/generated/operations'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { secrets as words } from '@/strings/secrets'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { useAction } from '@/util/use-action'

type SecretActionsProps = {
  secret: SecretRowFragment
  onRevoke: () => void
  onRotate: () => void
  look?: 'plain' | 'quiet'
}

/**
 * What can be done with a secret as it stands; what cannot says why. Nobody is shown secrets that they do not manage, so no
 * permission is asked for.
 */
export function SecretActions({ secret, onRevoke, onRotate, look = 'quiet' }: SecretActionsProps) {
  const { keyId, bound, rotatedBy, state } = secret
  const client = useQueryClient()
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
        <Button small aria-label={words.restoreLabel(keyId)} aria-busy={pending} onClick={() => !pending && void run()}>
          {words.restore}
        </Button>
        <Button small look={look} aria-label={words.revokeLabel(keyId)} onClick={onRevoke}>
          {words.revoke}
        </Button>
      </>
    )
  }
  const cannotRotate = !bound ? words.rotation.unbound : rotatedBy ? words.rotation.replaced(rotatedBy) : undefined
  return (
    <>
      <Button small look={look} aria-label={words.rotateLabel(keyId)} blocked={cannotRotate} onClick={onRotate}>
        {words.rotate}
      </Button>
      <Button small look={look} aria-label={words.revokeLabel(keyId)} onClick={onRevoke}>
        {words.revoke}
      </Button>
    </>
  )
}
