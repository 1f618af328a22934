import { useState } from 'react'
import { CreateApiTokenDocument, type Permission } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { tokens as words } from '@/strings/account'
import { strings } from '@/strings/common'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { Dialog } from '@/ui/dialog'
import { Field } from '@/ui/field'
import { PermissionChecks } from '@/ui/permission-checks'
import { ProblemText } from '@/ui/problem-text'
import { TextField } from '@/ui/text-field'
import { serverNow } from '@/util/clock'
import { useBlocked } from '@/util/permissions'
import { useAction } from '@/util/use-action'

const DAY_MS = 86_400_000
const USUAL_DAYS = '90'

type CreateTokenProps = {
  /** A service account, or oneself. */
  user: string | null
  onClose: () => void
  onMade: (made: { name: string; token: string }) => void
}

export function CreateToken({ user, onClose, onMade }: CreateTokenProps) {
  const [name, setName] = useState('')
  const [days, setDays] = useState<string | undefined>(USUAL_DAYS)
  const [limited, setLimited] = useState(false)
  const [permissions, setPermissions] = useState<Permission[]>([])
  const [tried, setTried] = useState(false)
  const blocked = useBlocked()
  const { run, pending, problem } = useAction(async () => {
    const expiresAt = days ? new Date(serverNow() + Number(days) * DAY_MS).toISOString() : null
    const input = { name: name.trim(), user, permissions: limited ? permissions : null, expiresAt }
    const { createApiToken } = await graphql(CreateApiTokenDocument, { input })
    onMade({ name: createApiToken.apiToken.name, token: createApiToken.token })
  })
  const needs = limited && permissions.length === 0
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={words.create} about={words.text}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          setTried(true)
          if (name.trim() && !needs && !pending) void run()
        }}
      >
        <TextField
          label={words.name}
          hint={words.nameHint}
          value={name}
          onChange={setName}
          error={problem?.of('name')?.message ?? (tried && !name.trim() ? words.needName : undefined)}
        />
        <Field label={words.expiry} error={problem?.of('expiresAt')?.message}>
          {() => (
            <Choose
              label={words.expiry}
              value={days}
              onChange={setDays}
              {...(user ? { all: words.never } : {})}
              choices={Object.entries(words.expiries)}
            />
          )}
        </Field>
        <fieldset className="mb-3.5">
          <legend className="mb-1 font-medium">{words.limit}</legend>
          {[false, true].map((each) => (
            <label key={String(each)} className="flex items-center gap-2.5">
              <input
                type="radio"
                name="limited"
                checked={limited === each}
                onChange={() => setLimited(each)}
                className="accent-solid"
              />
              {each ? words.limitSome : words.limitAll}
            </label>
          ))}
        </fieldset>
        {limited && (
          <PermissionChecks
            chosen={permissions}
            onChange={setPermissions}
            blocked={(permission) => (user ? undefined : blocked(permission))}
          />
        )}
        {tried && needs && <p className="mt-2 text-bad">{words.needPermission}</p>}
        <ProblemText problem={problem} except={['name', 'expiresAt']} />
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>{strings.cancel}</Button>
          <Button look="solid" type="submit" aria-busy={pending}>
            {words.create}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
