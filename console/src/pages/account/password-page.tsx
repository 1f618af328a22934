import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { asProblem } from '@/api/problem'
import { forget } from '@/api/queries'
import { signOut } from '@/api/session'
import { password as words } from '@/strings/account'
import { shell } from '@/strings/shell'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { Outside } from '@/ui/outside'
import { PATH, safeTarget, to } from '@/util/paths'
import { PasswordForm } from './password-form'

/** What stands between a password that was made for somebody and everything else. */
export function PasswordPage() {
  const target = safeTarget(useSearch({ from: PATH.password }).to)
  const navigate = useNavigate()
  const router = useRouter()
  const client = useQueryClient()
  const leave = async () => {
    try {
      await signOut()
      forget(client)
      await navigate(to.signIn(target))
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
  }
  return (
    <Outside title={words.title} lead={words.dueLead} text={words.dueText}>
      <PasswordForm
        autoFocus
        onDone={async () => {
          notify(words.done)
          forget(client)
          await router.invalidate()
          await navigate({ href: target })
        }}
      />
      <Button look="quiet" className="mt-3" onClick={leave}>
        {shell.user.signOut}
      </Button>
    </Outside>
  )
}
