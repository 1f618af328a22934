import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { Eye, EyeOff } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { signIn } from '@/api/request'
import { strings } from '@/strings/common'
import { signIn as words } from '@/strings/shell'
import { useAnnounced } from '@/ui/announcer'
import { Button } from '@/ui/button'
import { Field, inputClass } from '@/ui/field'
import { Mark } from '@/ui/mark'
import { Said } from '@/ui/said'
import { PATH, safeTarget } from '@/util/paths'
import { useSecondsLeft } from '@/util/ticker'
import { useAction } from '@/util/use-action'

export function SignInPage() {
  useAnnounced(words.lead)
  const search = useSearch({ from: PATH.signIn })
  const target = safeTarget(search.to)
  const navigate = useNavigate()
  const router = useRouter()
  const client = useQueryClient()
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const [shown, setShown] = useState(false)
  const [tried, setTried] = useState(false)
  const [blockedUntil, setBlockedUntil] = useState(0)
  const secondsLeft = useSecondsLeft(blockedUntil)
  const { run, pending, problem } = useAction(async () => {
    try {
      await signIn(username, password)
    } catch (error) {
      if (error instanceof Error && 'retryAfterS' in error && typeof error.retryAfterS === 'number') {
        setBlockedUntil(Date.now() + error.retryAfterS * 1_000)
      }
      throw error
    }
    client.clear()
    await router.invalidate()
    await navigate({ href: target })
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (username && password && !pending && secondsLeft === 0) void run()
  }
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <title>{strings.title(words.title)}</title>
      <form onSubmit={submit} noValidate className="w-full max-w-[340px]">
        <Mark size={36} />
        <h1 className="mb-5 mt-4 text-[19px] tracking-[-0.01em]">{words.lead}</h1>
        <Field label={words.username} error={tried && !username ? words.needUsername : undefined}>
          {(wiring) => (
            <input
              {...wiring}
              name="username"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              // biome-ignore lint/a11y/noAutofocus: the only purpose of this page
              autoFocus
              value={username}
              onChange={(event) => setUsername(event.target.value)}
              className={inputClass}
            />
          )}
        </Field>
        <Field label={words.password} error={tried && !password ? words.needPassword : undefined}>
          {(wiring) => (
            <div className="relative">
              <input
                {...wiring}
                name="password"
                type={shown ? 'text' : 'password'}
                autoComplete="current-password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
                className={`${inputClass} pr-9`}
              />
              <button
                type="button"
                aria-label={shown ? words.hide : words.show}
                onClick={() => setShown(!shown)}
                className="absolute right-1 top-1 grid size-6 place-items-center rounded text-muted hover:text-ink"
              >
                {shown ? <EyeOff size={14} aria-hidden /> : <Eye size={14} aria-hidden />}
              </button>
            </div>
          )}
        </Field>
        <div role="alert">
          {problem && (
            <p className="mb-3.5 rounded-md bg-bad-soft px-2.5 py-2 text-bad">
              <Said text={problem.message} /> <Said text={problem.fix} />{' '}
              {blockedUntil > 0 && (secondsLeft > 0 ? words.wait(secondsLeft) : words.canRetry)}
            </p>
          )}
        </div>
        <Button
          type="submit"
          look="solid"
          className="w-full"
          blocked={secondsLeft > 0 && words.wait(secondsLeft)}
          aria-busy={pending}
        >
          {pending ? words.submitting : words.submit}
        </Button>
        {search.to && target !== PATH.home && <p className="mt-3 text-muted">{words.target}</p>}
      </form>
    </main>
  )
}
