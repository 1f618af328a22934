import { Popover } from '@base-ui/react/popover'
import { useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { CircleUser, LogOut, Monitor, Moon, Search, Sun } from 'lucide-react'
import { useState, useSyncExternalStore } from 'react'
import { asProblem } from '@/api/problem'
import { forget, viewerQuery } from '@/api/queries'
import { signOut } from '@/api/session'
import { strings } from '@/strings/common'
import { shell } from '@/strings/shell'
import { Mark } from '@/ui/mark'
import { notify } from '@/ui/notices'
import { PATH, to } from '@/util/paths'
import { currentTheme, nextTheme, setTheme, watchTheme } from '@/util/theme'
import { LiveMark } from './live-mark'
import { ScopeSwitcher } from './scope-switcher'

const iconButton = 'size-8 shrink-0 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink'

/** Who nothing is open to has no place to switch to and nothing that could be live. */
export function Header({ onPalette, known }: { onPalette: () => void; known: boolean }) {
  return (
    <header className="flex h-11 items-center gap-2 border-b border-line bg-surface px-3">
      <Link {...to.home()} aria-label={strings.product} className="shrink-0 rounded-md p-0.5">
        <Mark size={22} />
      </Link>
      {known ? <ScopeSwitcher /> : null}
      <div className="ml-auto flex shrink-0 items-center gap-1.5">
        {known && <LiveMark />}
        <button
          type="button"
          onClick={onPalette}
          aria-keyshortcuts="Control+K Meta+K"
          className="ml-1 flex h-7 items-center gap-2 rounded-md px-1.5 text-muted hover:bg-hover hover:text-ink lg:border lg:border-edge lg:px-2"
        >
          <Search size={14} aria-hidden />
          <span className="sr-only lg:not-sr-only">{shell.palette.short}</span>
          <kbd aria-hidden className="mono hidden text-[11px] text-faint lg:inline">
            ⌘K
          </kbd>
        </button>
        <ThemeButton />
        <UserMenu />
      </div>
    </header>
  )
}

const themeIcons = { system: Monitor, light: Sun, dark: Moon }

function ThemeButton() {
  const theme = useSyncExternalStore(watchTheme, currentTheme)
  const Icon = themeIcons[theme]
  const label = shell.theme.label(shell.theme[theme])
  return (
    <button
      type="button"
      aria-label={label}
      data-tip={label}
      onClick={() => setTheme(nextTheme(theme))}
      className={`${iconButton} hidden sm:grid`}
    >
      <Icon size={15} aria-hidden />
    </button>
  )
}

function UserMenu() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [open, setOpen] = useState(false)
  const { viewer, controlPlane } = useSuspenseQuery(viewerQuery).data
  const leave = async () => {
    try {
      await signOut()
      await navigate(to.signIn(PATH.home))
      forget(client)
    } catch (error) {
      notify(asProblem(error).message, 'bad')
    }
  }
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger aria-label={shell.user.menu} className={`${iconButton} grid`}>
        <span className="grid size-6 place-items-center rounded-full border border-edge text-[11px] font-semibold uppercase text-ink">
          {(viewer.displayName || viewer.username).slice(0, 1)}
        </span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="end" className="z-40">
          <Popover.Popup
            aria-label={shell.user.menu}
            className="min-w-52 rounded-lg border border-line bg-raised p-1 shadow-raised outline-none"
          >
            <div className="border-b border-line px-2.5 pb-2 pt-1.5">
              <div className="font-medium">{viewer.displayName}</div>
              <div className="text-muted">{viewer.username}</div>
            </div>
            <Link
              {...to.profile()}
              onClick={() => setOpen(false)}
              className="mt-1 flex h-8 w-full items-center gap-2 rounded-md px-2.5 hover:bg-hover"
            >
              <CircleUser size={14} aria-hidden />
              {shell.user.profile}
            </Link>
            <button
              type="button"
              onClick={leave}
              className="flex h-8 w-full items-center gap-2 rounded-md px-2.5 hover:bg-hover"
            >
              <LogOut size={14} aria-hidden />
              {shell.user.signOut}
            </button>
            <div className="px-2.5 py-1.5 text-[12px] text-faint">{shell.user.version(controlPlane.version)}</div>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}
