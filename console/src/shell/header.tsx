import { useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Contrast, Monitor, Moon, Search, Sun } from 'lucide-react'
import { useSyncExternalStore } from 'react'
import { viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { shell } from '@/strings/shell'
import { Mark } from '@/ui/mark'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { currentTheme, nextTheme, setTheme, watchTheme } from '@/util/theme'
import { LiveMark } from './live-mark'
import { ScopeSwitcher } from './scope-switcher'
import { loadMenus, useMenu } from './use-menu'

const AccountMenu = lazily(async () => (await loadMenus()).AccountMenu)

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

const themeIcons = { system: Monitor, light: Sun, dark: Moon, contrast: Contrast }

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
  const { viewer } = useSuspenseQuery(viewerQuery).data
  const { button, menu, asked } = useMenu()
  return (
    <>
      <button {...button} aria-label={shell.user.menu} className={`${iconButton} grid`}>
        <span className="grid size-6 place-items-center rounded-full border border-edge text-[11px] font-semibold uppercase text-ink">
          {(viewer.displayName || viewer.username).slice(0, 1)}
        </span>
      </button>
      {asked && <AccountMenu {...menu} />}
    </>
  )
}
