import { Outlet } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { useFollowChanges } from '@/live/follow'
import { hub } from '@/live/hub'
import { shell } from '@/strings/shell'
import { Dialog } from '@/ui/dialog'
import { Header } from './header'
import { useKeys } from './keys'
import { Navigation } from './navigation'
import { Palette } from './palette'

/** The frame of every page behind the sign-in; it owns the one live line. */
export function Shell() {
  const [palette, setPalette] = useState(false)
  const [sheet, setSheet] = useState(false)
  useKeys({ onPalette: () => setPalette(true), onSheet: () => setSheet(true) })
  useEffect(() => hub.start(), [])
  useFollowChanges()
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-solid px-3 py-2 text-on-solid focus:not-sr-only focus:fixed focus:left-2 focus:top-2"
      >
        {shell.skip}
      </a>
      <Header onPalette={() => setPalette(true)} />
      <div className="flex min-w-0 flex-1 flex-col md:flex-row">
        <Navigation />
        <main id="content" tabIndex={-1} className="min-w-0 flex-1 px-3 py-4 outline-none sm:px-5">
          <Outlet />
        </main>
      </div>
      <Palette open={palette} onOpenChange={setPalette} onSheet={() => setSheet(true)} />
      <Dialog open={sheet} onOpenChange={setSheet} title={shell.shortcuts.title}>
        <dl className="grid grid-cols-[max-content_1fr] gap-x-6 gap-y-1.5">
          {shell.shortcuts.rows.map(([keys, meaning]) => (
            <div key={keys} className="contents">
              <dt>
                <kbd className="mono">{keys}</kbd>
              </dt>
              <dd className="text-muted">{meaning}</dd>
            </div>
          ))}
        </dl>
      </Dialog>
    </div>
  )
}
