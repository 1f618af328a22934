import { useState } from 'react'
import {
  CreateUserDocument,
  SetUserGroupsDocument,
  UpdateUserDocument,
  type UserKind,
  type UserRowFragment,
} from '@/api/generated/people'
import { graphql } from '@/api/request'
import { users as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { TextField } from '@/ui/text-field'
import { USER_KINDS } from '@/util/choices'
import { useAction } from '@/util/use-action'
import { GroupChecks } from './group-checks'
import { useAccessChanged } from './use-access-changed'

export const validUsername = (name: string) => /^[a-z0-9._@-]{1,100}$/.test(name)

type CreateUserProps = { onClose: () => void; onMade: (username: string, password: string | null) => void }

export function CreateUser({ onClose, onMade }: CreateUserProps) {
  const changed = useAccessChanged()
  const [username, setUsername] = useState('')
  const [displayName, setDisplayName] = useState('')
  const [email, setEmail] = useState('')
  const [kind, setKind] = useState<UserKind>('PERSON')
  const [groups, setGroups] = useState<string[]>([])
  const [tried, setTried] = useState(false)
  const { run, pending, problem } = useAction(async () => {
    const input = { username, displayName: displayName.trim(), email: email.trim() || null, kind, groups }
    const { createUser } = await graphql(CreateUserDocument, { input })
    notify(words.created(username))
    changed()
    onMade(username, createUser.oneTimePassword)
  })
  const badName = (tried || username) && !validUsername(username) ? words.form.badUsername : undefined
  return (
    <FormDialog
      title={words.create}
      submit={words.create}
      pending={pending}
      problem={problem}
      fields={['username', 'displayName', 'email']}
      onClose={onClose}
      onSubmit={() => {
        setTried(true)
        if (validUsername(username) && displayName.trim()) void run()
      }}
    >
      <TextField
        mono
        label={words.form.username}
        hint={words.form.usernameHint}
        value={username}
        onChange={setUsername}
        error={problem?.of('username')?.message ?? badName}
      />
      <TextField
        label={words.form.displayName}
        value={displayName}
        onChange={setDisplayName}
        error={problem?.of('displayName')?.message ?? (tried && !displayName.trim() ? words.form.needName : undefined)}
      />
      <TextField
        type="email"
        label={words.form.email}
        hint={words.form.optional}
        value={email}
        onChange={setEmail}
        error={problem?.of('email')?.message}
      />
      <fieldset className="mb-3.5">
        <legend className="mb-1 font-medium">{words.form.kind}</legend>
        {USER_KINDS.map((each) => (
          <label key={each} className="flex items-start gap-2.5 py-0.5">
            <input
              type="radio"
              name="kind"
              checked={kind === each}
              onChange={() => setKind(each)}
              className="mt-[3px] accent-solid"
            />
            <span>
              {words.kinds[each]}
              <span className="block text-[12px] text-muted">{words.form.kindText[each]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <fieldset>
        <legend className="mb-1 font-medium">{words.form.groups}</legend>
        <GroupChecks chosen={groups} onChange={setGroups} />
        {groups.length === 0 && <p className="mt-1 text-[12px] text-muted">{words.form.noGroups}</p>}
      </fieldset>
    </FormDialog>
  )
}

export function EditUser({ user, onClose }: { user: UserRowFragment; onClose: () => void }) {
  const changed = useAccessChanged()
  const [displayName, setDisplayName] = useState(user.displayName)
  const [email, setEmail] = useState(user.email ?? '')
  const { run, pending, problem } = useAction(async () => {
    const input = { displayName: displayName.trim(), email: email.trim() || null }
    await graphql(UpdateUserDocument, { id: user.id, input })
    notify(strings.saved(user.username))
    changed()
    onClose()
  })
  return (
    <FormDialog
      title={user.username}
      submit={strings.save}
      pending={pending}
      problem={problem}
      fields={['displayName', 'email']}
      onClose={onClose}
      onSubmit={() => displayName.trim() && void run()}
    >
      <TextField
        label={words.form.displayName}
        value={displayName}
        onChange={setDisplayName}
        error={problem?.of('displayName')?.message ?? (displayName.trim() ? undefined : words.form.needName)}
      />
      <TextField
        type="email"
        label={words.form.email}
        hint={words.form.optional}
        value={email}
        onChange={setEmail}
        error={problem?.of('email')?.message}
      />
    </FormDialog>
  )
}

export function EditUserGroups({ user, onClose }: { user: UserRowFragment; onClose: () => void }) {
  const changed = useAccessChanged()
  const [groups, setGroups] = useState(user.groups.map((each) => each.id))
  const { run, pending, problem } = useAction(async () => {
    await graphql(SetUserGroupsDocument, { user: user.id, groups })
    notify(strings.saved(user.username))
    changed()
    onClose()
  })
  return (
    <FormDialog
      title={`${words.groups}: ${user.username}`}
      about={words.groupsText}
      submit={strings.save}
      pending={pending}
      problem={problem}
      fields={[]}
      onClose={onClose}
      onSubmit={() => void run()}
    >
      <GroupChecks chosen={groups} onChange={setGroups} />
    </FormDialog>
  )
}
