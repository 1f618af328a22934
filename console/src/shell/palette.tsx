import { Dialog } from '@base-ui/react/dialog'
import { useNavigate, useRouterState } from '@tanstack/react-router'
import { ArrowRight, Plus, SunMoon, Zap } from 'lucide-react'
import { useState } from 'react'
import { access } from '@/strings/access'
import { shell } from '@/strings/shell'
import { Picker } from '@/ui/picker'
import type { Choice } from '@/ui/picking'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { setTheme, THEMES } from '@/util/theme'
import { recentGroup, type Target, useFound } from './palette-found'

const icon = { size: 14, 'aria-hidden': true } as const

type PaletteProps = { open: boolean; onOpenChange: (open: boolean) => void; onSheet: () => void }

export function Palette({ open, onOpenChange, onSheet }: PaletteProps) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 bg-black/25" />
        <Dialog.Popup
          aria-label={shell.palette.open}
          className="fixed left-1/2 top-[12vh] w-[calc(100vw-24px)] max-w-[560px] -translate-x-1/2 overflow-hidden rounded-xl border border-line bg-raised shadow-raised outline-none"
        >
          <PaletteBody close={() => onOpenChange(false)} onSheet={onSheet} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function PaletteBody({ close, onSheet }: { close: () => void; onSheet: () => void }) {
  const [query, setQuery] = useState('')
  const navigate = useNavigate()
  const search = query.trim()
  const here = useRouterState({ select: (state) => state.location.pathname })
  const blocked = useBlocked()

  const has = (text: string) => text.toLowerCase().includes(search.toLowerCase())
  const go = (target: Target) => () => {
    close()
    void navigate(target)
  }
  const found = useFound(search, go)
  const back = (href: string) => () => {
    close()
    void navigate({ href })
  }
  const page = (label: string, target: Target): Choice => ({
    key: label,
    label,
    icon: <ArrowRight {...icon} />,
    pick: go(target),
  })
  const action = (label: string, pick: () => void, mark = <Zap {...icon} />): Choice => ({
    key: `action ${label}`,
    label,
    icon: mark,
    pick,
  })
  const then = (work: () => void) => () => {
    close()
    work()
  }

  const pages = [
    page(shell.nav.overview, to.home()),
    page(shell.nav.runtimes, to.runtimes()),
    ...(blocked('INTEGRATION_MGT_VIEW') ? [] : [page(shell.nav.drift, to.drift())]),
    page(shell.nav.projects, to.projects()),
    page(shell.nav.environments, to.environments()),
    ...(blocked('ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE')
      ? []
      : [page(shell.nav.secrets, to.secrets())]),
    ...(blocked('OBSERVABILITY_MGT_VIEW_LOGS') ? [] : [page(shell.nav.logs, to.logs())]),
    ...(blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS')
      ? []
      : [page(shell.nav.traces, to.traces()), page(shell.nav.traceMap, to.traceMap())]),
    ...(blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS') ? [] : [page(shell.nav.metrics, to.metrics())]),
    ...(blocked('INTEGRATION_MGT_VIEW') ? [] : [page(shell.nav.alerts, to.alerts())]),
    page(shell.nav.events, to.events()),
    ...(blocked('USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS') ? [] : [page(access.tabs.users, to.users())]),
    ...(blocked('USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_UPDATE_USERS')
      ? []
      : [
          page(access.tabs.groups, to.groups()),
          page(access.tabs.roles, to.roles()),
          page(shell.nav.whoMay, to.whoMay()),
        ]),
    ...(blocked('AUDIT_MGT_VIEW') ? [] : [page(shell.nav.audit, to.audit())]),
    page(shell.nav.profile, to.profile()),
    ...(blocked('ENVIRONMENT_MGT_MANAGE') ? [] : [page(shell.user.settings, to.settings())]),
    page(shell.user.about, to.about()),
  ]
  const plus = <Plus {...icon} />
  const actions = [
    ...(blocked('ENVIRONMENT_MGT_MANAGE_NONPROD') ? [] : [action(shell.palette.addRuntime, go(to.addRuntime()), plus)]),
    ...(blocked('PROJECT_MGT_MANAGE') ? [] : [action(shell.palette.createProject, go(to.createProject()), plus)]),
    ...(blocked('ENVIRONMENT_MGT_MANAGE_NONPROD')
      ? []
      : [
          action(shell.palette.createEnvironment, go(to.createEnvironment()), plus),
          action(shell.palette.refusals, go(to.refusals())),
        ]),
    ...(blocked('ALERT_MGT_MANAGE')
      ? []
      : [action(shell.palette.createAlertRule, go(to.alertRules({ create: true })), plus)]),
    ...THEMES.map((theme) =>
      action(
        shell.theme.label(shell.theme[theme]),
        then(() => setTheme(theme)),
        <SunMoon {...icon} />,
      ),
    ),
    action(shell.palette.shortcuts, then(onSheet)),
  ]
  const groups = [
    // What is typed is looked for among everything: a name that was seen lately must not stand before what it means.
    ...(search === '' ? [recentGroup(here, back)] : []),
    { title: shell.palette.pages, choices: pages.filter((choice) => has(choice.label)) },
    ...found,
    { title: shell.palette.actions, choices: actions.filter((choice) => has(choice.label)) },
  ]
  return (
    <Picker
      label={shell.palette.open}
      placeholder={shell.palette.placeholder}
      query={query}
      onQuery={setQuery}
      groups={groups}
      empty={shell.palette.nothing}
    />
  )
}
