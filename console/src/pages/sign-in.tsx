import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { Eye, EyeOff } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { ApiProblem } from '@/api/problem'
import { forget } from '@/api/queries'
import { type Methods, methods, type SessionFacts, signIn } from '@/api/session'
import { otherProblem, problems, ways } from '@/strings/account'
import { signIn as words } from '@/strings/shell'
import { Button, buttonClass } from '@/ui/button'
import { Field, inputClass } from '@/ui/field'
import { Outside } from '@/ui/outside'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { API, PATH, safeTarget, to } from '@/util/paths'
import { useSecondsLeft } from '@/util/ticker'
import { useAction } from '@/util/use-action'

export const methodsQuery = { queryKey: ['methods'], queryFn: methods, staleTime: 60_000 }

/** By the ways that the control plane names: a password, an identity provider, or both. */
export function SignInPage() {
  const search = useSearch({ from: PATH.signIn })
  const target = safeTarget(search.to)
  const query = useQuery(methodsQuery)
  const hint = search.to && target !== PATH.home && !search.problem
  return (
    <Outside title={words.title} lead={words.lead}>
      {search.problem && <Problem code={search.problem} />}
      {query.isPending ? (
        <Skeleton label={ways.what} rows={3} />
      ) : query.data ? (
        <Ways methods={query.data} target={target} />
      ) : (
        <CouldNotLoad what={ways.what} error={query.error} onRetry={() => void query.refetch()} />
      )}
      {hint && <p className="mt-3 text-muted">{words.target}</p>}
    </Outside>
  )
}

function Problem({ code }: { code: string }) {
  const { message, fix } = (Object.hasOwn(problems, code) && problems[code]) || otherProblem(code)
  const calm = code === 'SESSION_ENDED' || code === 'SIGNED_OUT_EVERYWHERE'
  return (
    <p role="status" className={`mb-4 rounded-md px-2.5 py-2 ${calm ? 'bg-warn-soft' : 'bg-bad-soft text-bad'}`}>
      <strong className="font-semibold">{message}</strong> {fix}
    </p>
  )
}

type WaysProps = {
  methods: Methods
  target: string
  /** Who was in before. */
  username?: string | undefined
  /** What follows when nothing of the page may be lost: where an identity provider is asked, that is in another tab. */
  onSignedIn?: (facts: SessionFacts) => Promise<void>
}

export function Ways({ methods: { password, directory, oidc }, target, username, onSignedIn }: WaysProps) {
  const byForm = password || directory
  if (!byForm && !oidc) return <Empty title={ways.none}>{ways.noneText}</Empty>
  return (
    <>
      {oidc && (
        <a
          href={`${API.oidcStart}?returnTo=${encodeURIComponent(target)}`}
          target={onSignedIn ? '_blank' : undefined}
          rel="noreferrer"
          className={`${buttonClass(byForm ? 'plain' : 'solid')} w-full`}
        >
          {ways.with(oidc.displayName)}
        </a>
      )}
      {oidc && byForm && <p className="my-4 border-t border-line pt-3 text-muted">{ways.or}</p>}
      {byForm && <PasswordForm target={target} directory={directory} username={username} onSignedIn={onSignedIn} />}
    </>
  )
}

type PasswordFormProps = Pick<WaysProps, 'target' | 'username'> & {
  directory: boolean
  onSignedIn: WaysProps['onSignedIn'] | undefined
}

function PasswordForm({ target, directory, username: known = '', onSignedIn }: PasswordFormProps) {
  const navigate = useNavigate()
  const router = useRouter()
  const client = useQueryClient()
  const [username, setUsername] = useState(known)
  const [password, setPassword] = useState('')
  const [shown, setShown] = useState(false)
  const [tried, setTried] = useState(false)
  const [blockedUntil, setBlockedUntil] = useState(0)
  const secondsLeft = useSecondsLeft(blockedUntil)
  const { run, pending, problem } = useAction(async () => {
    const facts = await signIn(username, password).catch((error: unknown) => {
      if (error instanceof ApiProblem && error.retryAfterS) setBlockedUntil(Date.now() + error.retryAfterS * 1_000)
      throw error
    })
    if (onSignedIn) return onSignedIn(facts)
    forget(client)
    await router.invalidate()
    if (facts.mustChangePassword) await navigate(to.password(target))
    else await navigate({ href: target })
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (username && password && !pending && secondsLeft === 0) void run()
  }
  return (
    <form onSubmit={submit} noValidate>
      <Field label={words.username} error={tried && !username ? words.needUsername : undefined}>
        {(wiring) => (
          <input
            {...wiring}
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            // biome-ignore lint/a11y/noAutofocus: the only purpose of this page
            autoFocus={!known}
            value={username}
            onChange={(event) => setUsername(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <Field
        label={words.password}
        hint={directory ? ways.directory : undefined}
        error={tried && !password ? words.needPassword : undefined}
      >
        {(wiring) => (
          <div className="relative">
            <input
              {...wiring}
              name="password"
              type={shown ? 'text' : 'password'}
              autoComplete="current-password"
              // biome-ignore lint/a11y/noAutofocus: where the name is known, it is all that is asked
              autoFocus={Boolean(known)}
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
    </form>
  )
}
