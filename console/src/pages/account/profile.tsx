import { useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { EndSessionDocument, SessionsDocument } from '@/api/generated/people'
import { asProblem } from '@/api/problem'
import { forget, LARGEST_PAGE, viewerQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { signOut } from '@/api/session'
import { password, profile as words } from '@/strings/account'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { Card, Facts, PageHead } from '@/ui/page'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { PasswordForm } from './password-form'
import { Sessions } from './sessions'
import { Tokens } from './tokens'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

/** Who one is here, and what acts in one's name. */
export function ProfilePage() {
  const { viewer } = useSuspenseQuery(viewerQuery).data
  const client = useQueryClient()
  const [asking, setAsking] = useState(false)
  const others = useAction(async () => {
    try {
      notify(words.endedOthers(await endOthers()))
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
    void client.invalidateQueries({ queryKey: ['people', 'sessions'] })
  })
  const method = words.methods[viewer.method] ?? viewer.method
  return (
    <>
      <PageHead title={words.title} />
      <div className="grid items-start gap-x-4 xl:grid-cols-[minmax(0,1fr)_360px]">
        <div className="min-w-0 xl:order-first">
          <Tokens />
          <Card
            title={words.sessions}
            label={words.sessions}
            actions={
              <>
                <Button small aria-busy={others.pending} onClick={() => !others.pending && void others.run()}>
                  {words.endOthers}
                </Button>
                <Button small onClick={() => setAsking(true)}>
                  {words.endAll}
                </Button>
              </>
            }
          >
            <Sessions />
          </Card>
        </div>
        <div className="min-w-0 max-xl:order-first">
          <Card title={words.about} label={words.about}>
            <Facts
              facts={[
                [words.facts.username, <code key="username">{viewer.username}</code>],
                ...(viewer.email ? [[words.facts.email, viewer.email] as [string, string]] : []),
                [words.facts.method, method],
                [words.facts.groups, viewer.groups.map((each) => each.name).join(', ') || words.noGroups],
              ]}
            />
          </Card>
          <Card title={password.title} label={password.title}>
            <div className="px-3.5 py-3">
              {viewer.method === 'password' ? (
                <PasswordForm
                  onDone={() => {
                    notify(password.done)
                    void client.invalidateQueries({ queryKey: ['people', 'sessions'] })
                  }}
                />
              ) : (
                <p className="text-muted">{password.elsewhere(method)}</p>
              )}
            </div>
          </Card>
        </div>
      </div>
      {asking && <SignOutEverywhere onClose={() => setAsking(false)} />}
    </>
  )
}

function SignOutEverywhere({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate()
  const client = useQueryClient()
  const { run, pending, problem } = useAction(async () => {
    await signOut(true)
    await navigate(to.signIn(PATH.home, 'SIGNED_OUT_EVERYWHERE'))
    forget(client)
  })
  return (
    <ConfirmDialog
      title={words.endAllTitle}
      about={words.endAllAbout}
      submit={words.endAll}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}

/** Ends every session but the one that asks; returns how many. */
async function endOthers(): Promise<number> {
  const { sessions } = await graphql(SessionsDocument, { user: null, first: LARGEST_PAGE, after: null })
  const others = sessions.nodes.filter((each) => !each.current)
  for (const { id } of others) await graphql(EndSessionDocument, { id })
  return others.length
}
