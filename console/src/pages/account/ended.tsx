import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter } from '@tanstack/react-router'
import { useEffect, useEffectEvent, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import { signedInAgain } from '@/api/ended'
import { forget, viewerQuery } from '@/api/queries'
import { type SessionFacts, session } from '@/api/session'
import { ways } from '@/strings/account'
import { shell, signIn } from '@/strings/shell'
import { Button } from '@/ui/button'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { PATH, to } from '@/util/paths'
import { methodsQuery, Ways } from '../sign-in'

const { ended: words } = shell

/**
 * The sign-in over the page that one was on: whatever stands there, a form half filled too, is there again afterwards.
 * It lies in a part of the document of its own, so that no dialog below takes what is pressed here for a way out.
 */
export function SessionEnded() {
  const [host, setHost] = useState<HTMLElement>()
  useEffect(() => {
    const made = document.createElement('div')
    document.body.append(made)
    setHost(made)
    return () => made.remove()
  }, [])
  return host && createPortal(<Ended />, host)
}

function Ended() {
  const dialog = useRef<HTMLDialogElement>(null)
  const client = useQueryClient()
  const navigate = useNavigate()
  const router = useRouter()
  const query = useQuery(methodsQuery)
  const before = client.getQueryData(viewerQuery.queryKey)?.viewer.username
  const back = async ({ username, mustChangePassword }: SessionFacts) => {
    if (username === before && !mustChangePassword) {
      signedInAgain()
      await client.invalidateQueries()
      return
    }
    // Nothing of who was in is for somebody else.
    const { href } = router.state.location
    forget(client)
    signedInAgain()
    await navigate(mustChangePassword ? to.password(href) : to.home())
    await router.invalidate()
  }
  const look = useEffectEvent(() => {
    // By another tab one may be in again; where one is not, there is nothing to tell.
    session().then(back, () => undefined)
  })
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    const keep = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return
      event.preventDefault()
      event.stopPropagation()
    }
    const onStorage = ({ newValue }: StorageEvent) => newValue && look()
    element?.addEventListener('keydown', keep)
    globalThis.addEventListener('storage', onStorage)
    return () => {
      element?.removeEventListener('keydown', keep)
      globalThis.removeEventListener('storage', onStorage)
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      aria-labelledby="session-ended"
      onCancel={(event) => event.preventDefault()}
      className="m-auto w-[min(380px,calc(100vw-24px))] rounded-xl border border-line bg-raised p-5 text-ink shadow-raised backdrop:bg-canvas"
    >
      <h2 id="session-ended" className="text-[17px]">
        {signIn.lead}
      </h2>
      <p role="status" className="mb-4 mt-2 rounded-md bg-warn-soft px-2.5 py-2">
        <strong className="font-semibold">{words.title}.</strong> {words.about}
      </p>
      {query.isPending ? (
        <Skeleton label={ways.what} rows={3} />
      ) : query.data ? (
        <Ways methods={query.data} target={PATH.home} username={before} onSignedIn={back} />
      ) : (
        <CouldNotLoad what={ways.what} error={query.error} onRetry={() => void query.refetch()} />
      )}
      <p className="mt-3 text-center">
        <Button
          look="quiet"
          small
          onClick={() => {
            forget(client)
            signedInAgain()
            void navigate(to.signIn(PATH.home))
          }}
        >
          {words.other}
        </Button>
      </p>
    </dialog>
  )
}
