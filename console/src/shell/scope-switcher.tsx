import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ChevronsUpDown } from 'lucide-react'
import { integrationQuery, organizationQuery, projectQuery } from '@/api/queries'
import { shell } from '@/strings/shell'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useScope } from './scope'
import { loadMenus, useMenu } from './use-menu'

const ProjectMenu = lazily(async () => (await loadMenus()).ProjectMenu)
const IntegrationMenu = lazily(async () => (await loadMenus()).IntegrationMenu)

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

type PartButtonProps = { name: string; label: string; chosen: boolean; button: ReturnType<typeof useMenu>['button'] }

function PartButton({ name, label, chosen, button }: PartButtonProps) {
  return (
    <button
      {...button}
      aria-label={`${name} – ${label}`}
      className={`flex min-w-0 items-center gap-1 rounded-md px-1.5 py-1 hover:bg-hover ${chosen ? 'font-medium' : 'text-muted'}`}
    >
      <span className="truncate">{name}</span>
      <ChevronsUpDown size={13} className="shrink-0 text-faint" aria-hidden />
    </button>
  )
}

function ProjectPart({ project }: { project: string | undefined }) {
  const known = useQuery({ ...projectQuery(project ?? ''), enabled: project !== undefined })
  const { button, menu, asked } = useMenu()
  const name = project ? (known.data?.displayName ?? project) : shell.allProjects
  return (
    <>
      <PartButton name={name} label={shell.switchProject} chosen={project !== undefined} button={button} />
      {asked && <ProjectMenu {...menu} />}
    </>
  )
}

function IntegrationPart({ project, integration }: { project: string; integration: string | undefined }) {
  const known = useQuery({ ...integrationQuery(project, integration ?? ''), enabled: integration !== undefined })
  const { button, menu, asked } = useMenu()
  const name = integration ? (known.data?.displayName ?? integration) : shell.allIntegrations
  return (
    <>
      <PartButton name={name} label={shell.switchIntegration} chosen={integration !== undefined} button={button} />
      {asked && <IntegrationMenu {...menu} project={project} />}
    </>
  )
}
