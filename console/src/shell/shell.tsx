import { useSuspenseQuery } from '@tanstack/react-query'
import { Outlet, useRouterState } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { viewerQuery } from '@/api/queries'
import { useFollowChanges } from '@/live/follow'
import { hub } from '@/live/hub'
import { useFollowRights } from '@/live/use-rights'
import { shell } from '@/strings/shell'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import { Banner } from './banner'
import { entryFor } from './entries'
import { Header } from './header'
import { useKeys } from './keys'
import { Navigation } from './navigation'
import { useScope } from './scope'
import { loadMenus } from './use-menu'

const Stranger = lazily(async () => (await import('@/pages/account/stranger')).Stranger)
const Sheet = lazily(async () => (await import('./sheet')).Sheet)
const loadPalette = () => import('./palette')
const Palette = lazily(async () => (await loadPalette()).Palette)
/** Who presses the keys types on at once: by then the palette is there, and so are the menus of the header. */
const REST_AFTER_MS = 1_000
/** What is open to everybody who is signed in. */
const OPEN: string[] = [PATH.profile, PATH.device]

/** The frame of every page behind the sign-in; it owns the one live line. */
export function Shell() {
  const [palette, setPalette] = useState(false)
  const [asked, setAsked] = useState(false)
  if (palette && !asked) setAsked(true)
  const [sheet, setSheet] = useState(false)
  const scope = useScope()
  const { permissions } = useSuspenseQuery(viewerQuery).data.viewer
  useKeys({
    onPalette: () => setPalette(true),
    onSheet: () => setSheet(true),
    entryFor: (letter) => entryFor(letter, scope, permissions),
  })
  const known = permissions.some((each) => each !== 'SIGNED_IN')
  const isOpen = useRouterState({ select: (state) => OPEN.includes(state.location.pathname) })
  const sees = permissions.includes('INTEGRATION_MGT_VIEW')
  useEffect(() => (sees ? hub.start() : undefined), [sees])
  useFollowChanges()
  useFollowRights()
  useEffect(() => {
    // Where it cannot be loaded now, its first use tries again and says so.
    const timer = setTimeout(() => void Promise.all([loadPalette(), loadMenus()]).catch(() => undefined), REST_AFTER_MS)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-solid px-3 py-2 text-on-solid focus:not-sr-only focus:fixed focus:left-2 focus:top-2"
      >
        {shell.skip}
      </a>
      <Header onPalette={() => setPalette(true)} known={known} />
      <div className="flex min-w-0 flex-1 flex-col md:flex-row">
        {known && <Navigation />}
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 px-3 py-4 outline-none sm:px-5">
          {known || isOpen ? <Outlet /> : <Stranger />}
        </main>
      </div>
      <Banner />
      {/* Loaded with its first use; it stays then, so that it can close as it opened. */}
      {asked && <Palette open={palette && known} onOpenChange={setPalette} onSheet={() => setSheet(true)} />}
      {sheet && <Sheet onClose={() => setSheet(false)} />}
    </div>
  )
}
