import { Link } from '@tanstack/react-router'
import {
  Activity,
  BellRing,
  Boxes,
  ChartLine,
  FolderTree,
  KeyRound,
  Layers,
  LayoutDashboard,
  Logs,
  Package,
  ScrollText,
  SlidersHorizontal,
  Users,
  Waypoints,
  Workflow,
} from 'lucide-react'
import { shell } from '@/strings/shell'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { useScope } from './scope'

const FiringCount = lazily(async () => (await import('@/pages/alerts/firing')).FiringCount)

const entryClass =
  'flex h-8 shrink-0 items-center gap-2.5 rounded-md px-1.5 sm:px-2.5 text-muted hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-ink'

const exact = { exact: true, includeSearch: false } as const
const below = { includeSearch: false } as const
const icon = { size: 15, 'aria-hidden': true, className: 'shrink-0 max-sm:hidden' } as const

/** The pages of the present scope; only pages that exist. */
export function Navigation() {
  const { project, integration } = useScope()
  return (
    <nav
      aria-label={shell.navigation}
      className="flex gap-0.5 overflow-x-auto border-b border-line px-2 py-1.5 md:w-48 md:shrink-0 md:flex-col md:overflow-visible md:border-b-0 md:border-r md:px-2.5 md:py-3"
    >
      {project && integration ? (
        <IntegrationEntries project={project} integration={integration} />
      ) : project ? (
        <ProjectEntries project={project} />
      ) : (
        <OrganizationEntries />
      )}
    </nav>
  )
}

/** Only what the viewer may read: an entry that leads to a refusal is none. */
function OrganizationEntries() {
  const blocked = useBlocked()
  const mayAccess = !blocked('USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_ROLES')
  const maySecrets = !blocked('ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE')
  const seesUsers = !blocked('USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS')
  return (
    <>
      <Link {...to.home()} className={entryClass} activeOptions={exact}>
        <LayoutDashboard {...icon} />
        {shell.nav.overview}
      </Link>
      <Link {...to.runtimes()} className={entryClass} activeOptions={below}>
        <Boxes {...icon} />
        {shell.nav.runtimes}
      </Link>
      <Link {...to.projects()} className={entryClass} activeOptions={below}>
        <FolderTree {...icon} />
        {shell.nav.projects}
      </Link>
      <Link {...to.environments()} className={entryClass} activeOptions={below}>
        <Layers {...icon} />
        {shell.nav.environments}
      </Link>
      {maySecrets && (
        <Link {...to.secrets()} className={entryClass} activeOptions={below}>
          <KeyRound {...icon} />
          {shell.nav.secrets}
        </Link>
      )}
      {!blocked('OBSERVABILITY_MGT_VIEW_LOGS') && (
        <Link {...to.logs()} className={entryClass} activeOptions={below}>
          <Logs {...icon} />
          {shell.nav.logs}
        </Link>
      )}
      {!blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS') && (
        <Link {...to.traces()} className={entryClass} activeOptions={below}>
          <Waypoints {...icon} />
          {shell.nav.traces}
        </Link>
      )}
      {!blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS') && (
        <Link {...to.metrics()} className={entryClass} activeOptions={below}>
          <ChartLine {...icon} />
          {shell.nav.metrics}
        </Link>
      )}
      {!blocked('INTEGRATION_MGT_VIEW') && (
        <Link {...to.alerts()} className={entryClass} activeOptions={below}>
          <BellRing {...icon} />
          {shell.nav.alerts}
          <FiringCount />
        </Link>
      )}
      <Link {...to.events()} className={entryClass} activeOptions={below}>
        <Activity {...icon} />
        {shell.nav.events}
      </Link>
      {mayAccess && (
        <Link {...(seesUsers ? to.users() : to.groups())} className={entryClass} activeOptions={below}>
          <Users {...icon} />
          {shell.nav.access}
        </Link>
      )}
      {!blocked('AUDIT_MGT_VIEW') && (
        <Link {...to.audit()} className={entryClass} activeOptions={below}>
          <ScrollText {...icon} />
          {shell.nav.audit}
        </Link>
      )}
    </>
  )
}

function ProjectEntries({ project }: { project: string }) {
  return (
    <>
      <Link {...to.project(project)} className={entryClass} activeOptions={exact}>
        <Workflow {...icon} />
        {shell.nav.integrations}
      </Link>
      <Link {...to.projectRuntimes(project)} className={entryClass} activeOptions={below}>
        <Boxes {...icon} />
        {shell.nav.runtimes}
      </Link>
    </>
  )
}

function IntegrationEntries({ project, integration }: { project: string; integration: string }) {
  const blocked = useBlocked()
  return (
    <>
      <Link {...to.integration(project, integration)} className={entryClass} activeOptions={exact}>
        <LayoutDashboard {...icon} />
        {shell.nav.overview}
      </Link>
      <Link {...to.integrationRuntimes(project, integration)} className={entryClass} activeOptions={below}>
        <Boxes {...icon} />
        {shell.nav.runtimes}
      </Link>
      <Link {...to.steering(project, integration)} className={entryClass} activeOptions={below}>
        <SlidersHorizontal {...icon} />
        {shell.nav.steering}
      </Link>
      <Link {...to.integrationArtifacts(project, integration)} className={entryClass} activeOptions={below}>
        <Package {...icon} />
        {shell.nav.artifacts}
      </Link>
      {!blocked('OBSERVABILITY_MGT_VIEW_LOGS') && (
        <Link {...to.integrationLogs(project, integration)} className={entryClass} activeOptions={below}>
          <Logs {...icon} />
          {shell.nav.logs}
        </Link>
      )}
      {!blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS') && (
        <Link {...to.integrationTraces(project, integration)} className={entryClass} activeOptions={below}>
          <Waypoints {...icon} />
          {shell.nav.traces}
        </Link>
      )}
      {!blocked('OBSERVABILITY_MGT_VIEW_INSIGHTS') && (
        <Link {...to.integrationMetrics(project, integration)} className={entryClass} activeOptions={below}>
          <ChartLine {...icon} />
          {shell.nav.metrics}
        </Link>
      )}
      <Link {...to.integrationEvents(project, integration)} className={entryClass} activeOptions={below}>
        <Activity {...icon} />
        {shell.nav.events}
      </Link>
      {!blocked('ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE') && (
        <Link {...to.integrationSecrets(project, integration)} className={entryClass} activeOptions={below}>
          <KeyRound {...icon} />
          {shell.nav.secrets}
        </Link>
      )}
    </>
  )
}
