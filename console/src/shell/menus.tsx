import { useInfiniteQuery, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate, useRouterState } from '@tanstack/react-router'
import { CircleUser, Info, LogOut, SlidersVertical } from 'lucide-react'
import { useState } from 'react'
import { asProblem } from '@/api/problem'
import { forget, integrationsQuery, projectsQuery, viewerQuery } from '@/api/queries'
import { signOut } from '@/api/session'
import { strings } from '@/strings/common'
import { shell } from '@/strings/shell'
import { notify } from '@/ui/notices'
import { Picker } from '@/ui/picker'
import type { ChoiceGroup } from '@/ui/picking'
import { Popup } from '@/ui/popup'
import { PATH, to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import type { MenuProps } from './use-menu'

const SHOWN = 20
const scopeClass = 'w-[min(320px,calc(100vw-24px))] overflow-hidden'

export function ProjectMenu(props: MenuProps) {
  return (
    <Popup {...props} label={shell.switchProject} align="start" className={scopeClass}>
      <ProjectChoices close={() => props.onOpenChange(false)} />
    </Popup>
  )
}

export function IntegrationMenu({ project, ...props }: MenuProps & { project: string }) {
  return (
    <Popup {...props} label={shell.switchIntegration} align="start" className={scopeClass}>
      <IntegrationChoices project={project} close={() => props.onOpenChange(false)} />
    </Popup>
  )
}

/** Changing the project keeps the kind of page. */
function useOnRuntimes(): boolean {
  return useRouterState({ select: (state) => /\/runtimes$/.test(state.location.pathname) })
}

function ProjectChoices({ close }: { close: () => void }) {
  const [search, setSearch] = useState('')
  const navigate = useNavigate()
  const onRuntimes = useOnRuntimes()
  const found = useInfiniteQuery({ ...projectsQuery(search, SHOWN), placeholderData: (before) => before })
  const groups: ChoiceGroup[] = [
    {
      title: shell.projects,
      stale: found.isPending || found.isPlaceholderData,
      choices: (found.data?.pages[0]?.nodes ?? []).map((project) => ({
        key: project.handle,
        label: project.displayName,
        alias: project.handle,
        hint: <code>{project.handle}</code>,
        pick: () => {
          close()
          void navigate(onRuntimes ? to.projectRuntimes(project.handle) : to.project(project.handle))
        },
      })),
    },
    {
      title: shell.organization,
      fixed: true,
      choices: [
        {
          key: PATH.projects,
          label: shell.allProjects,
          pick: () => {
            close()
            void navigate(onRuntimes ? to.runtimes() : to.projects())
          },
        },
      ],
    },
  ]
  return (
    <Picker
      label={shell.switchProject}
      placeholder={shell.findProject}
      query={search}
      onQuery={setSearch}
      groups={groups}
      empty={found.isError ? strings.couldNotLoad(shell.projects) : shell.noProjects}
    />
  )
}

function IntegrationChoices({ project, close }: { project: string; close: () => void }) {
  const [search, setSearch] = useState('')
  const navigate = useNavigate()
  const onRuntimes = useOnRuntimes()
  const found = useInfiniteQuery({ ...integrationsQuery(project, search, SHOWN), placeholderData: (before) => before })
  const go = (target: ReturnType<(typeof to)[keyof typeof to]>) => {
    close()
    void navigate(target)
  }
  const groups: ChoiceGroup[] = [
    {
      title: shell.integrations,
      stale: found.isPending || found.isPlaceholderData,
      choices: (found.data?.pages[0]?.nodes ?? []).map(({ handle, displayName }) => ({
        key: handle,
        label: displayName,
        alias: handle,
        hint: <code>{handle}</code>,
        pick: () => go(onRuntimes ? to.integrationRuntimes(project, handle) : to.integration(project, handle)),
      })),
    },
    {
      title: shell.projects,
      fixed: true,
      choices: [{ key: PATH.project, label: shell.allIntegrations, pick: () => go(to.project(project)) }],
    },
  ]
  return (
    <Picker
      label={shell.switchIntegration}
      placeholder={shell.findIntegration}
      query={search}
      onQuery={setSearch}
      groups={groups}
      empty={found.isError ? strings.couldNotLoad(shell.integrations) : shell.noIntegrations}
    />
  )
}

const entryClass = 'flex h-8 w-full items-center gap-2 rounded-md px-2.5 hover:bg-hover'

export function AccountMenu(props: MenuProps) {
  const client = useQueryClient()
  const navigate = useNavigate()
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
    <Popup {...props} label={shell.user.menu} align="end" className="min-w-52 p-1">
      <div className="border-b border-line px-2.5 pb-2 pt-1.5">
        <div className="font-medium">{viewer.displayName}</div>
        <div className="text-muted">{viewer.username}</div>
      </div>
      <Link {...to.profile()} onClick={() => props.onOpenChange(false)} className={`mt-1 ${entryClass}`}>
        <CircleUser size={14} aria-hidden />
        {shell.user.profile}
      </Link>
      {!mayNot(viewer.permissions, 'ENVIRONMENT_MGT_MANAGE') && (
        <Link {...to.settings()} onClick={() => props.onOpenChange(false)} className={entryClass}>
          <SlidersVertical size={14} aria-hidden />
          {shell.user.settings}
        </Link>
      )}
      <Link {...to.about()} onClick={() => props.onOpenChange(false)} className={entryClass}>
        <Info size={14} aria-hidden />
        {shell.user.about}
      </Link>
      <button type="button" onClick={leave} className={entryClass}>
        <LogOut size={14} aria-hidden />
        {shell.user.signOut}
      </button>
      <div className="px-2.5 py-1.5 text-[12px] text-faint">{shell.user.version(controlPlane.version)}</div>
    </Popup>
  )
}
