import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { changePassword } from '@/api/session'
import { password as words } from '@/strings/account'
import { Button } from '@/ui/button'
import { ProblemText } from '@/ui/problem-text'
import { TextField } from '@/ui/text-field'
import { useAction } from '@/util/use-action'
import { methodsQuery } from '../sign-in'
import { type PasswordDraft, type PasswordRules, wrongWith } from './password-rules'

const EMPTY: PasswordDraft = { current: '', next: '', again: '' }
const UNKNOWN: PasswordRules = { lengthMin: 1, lengthMax: 1_024 }

/** Says what is wrong as soon as a field is left alone; the control plane has the last word. */
export function PasswordForm({ onDone, autoFocus = false }: { onDone: () => void; autoFocus?: boolean }) {
  const { data } = useQuery(methodsQuery)
  const [draft, setDraft] = useState(EMPTY)
  const [tried, setTried] = useState(false)
  const { run, pending, problem } = useAction(async () => {
    await changePassword(draft.current, draft.next)
    setDraft(EMPTY)
    setTried(false)
    onDone()
  })
  const rules = data?.passwordRules ?? UNKNOWN
  const wrong = wrongWith(draft, rules, tried)
  const field = (name: keyof PasswordDraft) => ({
    value: draft[name],
    type: 'password' as const,
    onChange: (value: string) => setDraft({ ...draft, [name]: value }),
  })
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        setTried(true)
        if (Object.keys(wrongWith(draft, rules, true)).length === 0 && !pending) void run()
      }}
    >
      <TextField
        {...field('current')}
        label={words.current}
        autoComplete="current-password"
        autoFocus={autoFocus}
        error={problem?.of('currentPassword')?.message ?? wrong.current}
      />
      <TextField
        {...field('next')}
        label={words.next}
        autoComplete="new-password"
        hint={data && words.rules(rules.lengthMin, rules.lengthMax)}
        error={problem?.of('newPassword')?.message ?? wrong.next}
      />
      <TextField {...field('again')} label={words.again} autoComplete="new-password" error={wrong.again} />
      <ProblemText problem={problem} except={['currentPassword', 'newPassword']} />
      <Button type="submit" look="solid" aria-busy={pending} className="mt-1">
        {words.submit}
      </Button>
    </form>
  )
}
