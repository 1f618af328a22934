import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import {
  DeleteUserDocument,
  EndAllSessionsDocument,
  ResetPasswordDocument,
  UnlockUserDocument,
  UpdateUserDocument,
} from '@/api/generated/people'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { users as words } from '@/strings/access'
import { Button } from '@/ui/button'
import { CopyCli } from '@/ui/copy'
import { notify } from '@/ui/notices'
import { cli } from '@/util/cli'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { useAction } from '@/util/use-action'
import { useAccessChanged } from './use-access-changed'
import type { UserFacts } from './user'

const ShownSecret = lazily(async () => (await import('@/ui/shown-secret')).ShownSecret)
const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const EditUser = lazily(async () => (await import('./user-forms')).EditUser)

type Asked = 'edit' | 'disable' | 'reset' | 'remove'

const VERBS = { disable: 'disable', reset: 'reset-password', remove: 'delete' } as const

/** What can be done about one user; what cannot says why. */
export function UserActions({ user, isSelf }: { user: UserFacts; isSelf: boolean }) {
  const { id, username, kind, state, issuer } = user
  const [asked, setAsked] = useState<Asked>()
  const [password, setPassword] = useState<string>()
  const navigate = useNavigate()
  const changed = useAccessChanged()
  const mayNot = useBlocked()('USER_MGT_MANAGE_USERS')
  const notSelf = mayNot ?? (isSelf ? words.yourself : undefined)
  const isPerson = kind === 'PERSON'
  const hasPassword = issuer === 'password'

  const atOnce = useAction(async (work: () => Promise<string>) => {
    try {
      notify(await work())
      changed()
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
  })
  const confirmed = useAction(async (what: Asked) => {
    if (what === 'disable') {
      await graphql(UpdateUserDocument, { id, input: { disabled: true } })
      notify(words.disabled(username))
    } else if (what === 'reset') {
      setPassword((await graphql(ResetPasswordDocument, { user: id })).resetPassword.password)
    } else {
      await graphql(DeleteUserDocument, { id })
      notify(words.removed(username))
      await navigate(to.users())
    }
    changed()
    setAsked(undefined)
  })
  const enable = async () => {
    await graphql(UpdateUserDocument, { id, input: { disabled: false } })
    return words.enabled(username)
  }
  const signOut = async () => {
    const { endAllSessions } = await graphql(EndAllSessionsDocument, { user: id })
    return words.signedOut(username, endAllSessions)
  }
  const unlock = async () => {
    await graphql(UnlockUserDocument, { id })
    return words.unlocked(username)
  }
  const dialogs = {
    disable: [words.disableTitle(username), words.disableAbout, words.disable],
    reset: [words.resetTitle(username), words.resetAbout, words.reset],
    remove: [words.removeTitle(username), words.removeAbout, words.remove],
  } as const
  return (
    <>
      <Button blocked={mayNot} onClick={() => setAsked('edit')}>
        {words.edit}
      </Button>
      {isPerson && (
        <>
          <Button blocked={notSelf ?? (hasPassword ? undefined : words.noPassword)} onClick={() => setAsked('reset')}>
            {words.reset}
          </Button>
          <span data-tip={words.unlockTip} className="contents">
            <Button blocked={mayNot} onClick={() => void atOnce.run(unlock)}>
              {words.unlock}
            </Button>
          </span>
          <Button blocked={mayNot} onClick={() => void atOnce.run(signOut)}>
            {words.signOut}
          </Button>
        </>
      )}
      {state === 'DISABLED' ? (
        <Button blocked={notSelf} onClick={() => void atOnce.run(enable)}>
          {words.enable}
        </Button>
      ) : (
        <Button blocked={notSelf} onClick={() => setAsked('disable')}>
          {words.disable}
        </Button>
      )}
      <Button blocked={notSelf} onClick={() => setAsked('remove')}>
        {words.remove}
      </Button>
      {asked === 'edit' && <EditUser user={user} onClose={() => setAsked(undefined)} />}
      {asked && asked !== 'edit' && (
        <ConfirmDialog
          title={dialogs[asked][0]}
          about={dialogs[asked][1]}
          submit={dialogs[asked][2]}
          look="danger"
          pending={confirmed.pending}
          problem={confirmed.problem}
          onConfirm={() => void confirmed.run(asked)}
          onClose={() => setAsked(undefined)}
        >
          <CopyCli command={cli.changeUser(VERBS[asked], username)} />
        </ConfirmDialog>
      )}
      {password && (
        <ShownSecret
          title={words.firstPassword(username)}
          label={words.password}
          secret={password}
          once={words.once}
          onClose={() => setPassword(undefined)}
        />
      )}
    </>
  )
}
