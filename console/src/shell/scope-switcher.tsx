import { Popover } from '@base-ui/react/popover'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useRouterState } from '@tanstack/react-router'
import { ChevronsUpDown } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { integrationQuery, integrationsQuery, organizationQuery, projectQuery, projectsQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { shell } from '@/strings/shell'
import { type ChoiceGroup, Picker } from '@/ui/picker'
import { PATH, to } from '@/util/paths'
import { useScope } from './scope'

const SHOWN = 20

/** Organization → project → integration: each part says where the page stands and takes one elsewhere. */
export function ScopeSwitcher() {
  const { project, integration } = useScope()
  const organization = useQuery(organizationQuery)
  return (
    <nav aria-label={shell.scope} className="flex min-w-0 items-center">
      <Link
        {...to.home()}
        activeProps={{}}
        className="hidden shrink truncate rounded-md px-1.5 py-1 text-muted hover:bg-hover hover:text-ink sm:block"
      >
        {organization.data?.displayName ?? shell.organization}
      </Link>
      <Divider className="hidden sm:block" />
      <ProjectPart project={project} />
      {project && (
        <>
          <Divider />
          <IntegrationPart project={project} integration={integration} />
        </>
      )}
    </nav>
  )
}

function Divider({ className = '' }: { className?: string }) {
  return (
    <span aria-hidden className={`px-0.5 text-edge ${className}`}>
      /
    </span>
  )
}

type PartProps = { name: string; label: string; chosen: boolean; children: (close: () => void) => ReactNode }

function Part({ name, label, chosen, children }: PartProps) {
  const [open, setOpen] = useState(false)
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger
        aria-label={`${name} – ${label}`}
        className={`flex min-w-0 items-center gap-1 rounded-md px-1.5 py-1 hover:bg-hover ${chosen ? 'font-medium' : 'text-muted'}`}
      >
        <span className="truncate">{name}</span>
        <ChevronsUpDown size={13} className="shrink-0 text-faint" aria-hidden />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="start" className="z-40">
          <Popover.Popup
            aria-label={label}
            className="w-[min(320px,calc(100vw-24px))] overflow-hidden rounded-lg border border-line bg-raised shadow-raised outline-none"
          >
            {children(() => setOpen(false))}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}

function ProjectPart({ project }: { project: string | undefined }) {
  const known = useQuery({ ...projectQuery(project ?? ''), enabled: project !== undefined })
  const name = project ? (known.data?.displayName ?? project) : shell.allProjects
  return (
    <Part name={name} label={shell.switchProject} chosen={project !== undefined}>
      {(close) => <ProjectChoices close={close} />}
    </Part>
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
      choices: (found.data?.pages[0]?.nodes ?? []).map((project) => ({
        key: project.handle,
        label: project.displayName,
        hint: <code>{project.handle}</code>,
        pick: () => {
          close()
          void navigate(onRuntimes ? to.projectRuntimes(project.handle) : to.project(project.handle))
        },
      })),
    },
    {
      title: shell.organization,
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

function IntegrationPart({ project, integration }: { project: string; integration: string | undefined }) {
  const known = useQuery({ ...integrationQuery(project, integration ?? ''), enabled: integration !== undefined })
  const name = integration ? (known.data?.displayName ?? integration) : shell.allIntegrations
  return (
    <Part name={name} label={shell.switchIntegration} chosen={integration !== undefined}>
      {(close) => <IntegrationChoices project={project} close={close} />}
    </Part>
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
      choices: (found.data?.pages[0]?.nodes ?? []).map(({ handle, displayName }) => ({
        key: handle,
        label: displayName,
        hint: <code>{handle}</code>,
        pick: () => go(onRuntimes ? to.integrationRuntimes(project, handle) : to.integration(project, handle)),
      })),
    },
    {
      title: shell.projects,
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
