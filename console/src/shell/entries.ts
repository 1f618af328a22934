import type { LinkProps } from '@tanstack/react-router'
import {
  Activity,
  BellRing,
  Boxes,
  ChartLine,
  FolderTree,
  GitCompareArrows,
  KeyRound,
  Layers,
  LayoutDashboard,
  Logs,
  type LucideIcon,
  Package,
  ScrollText,
  Send,
  SlidersHorizontal,
  Users,
  Waypoints,
  Workflow,
} from 'lucide-react'
import type { Permission } from '@/api/generated/operations'
import { shell } from '@/strings/shell'
import { to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import type { Scope } from './scope'

/** A page of the navigation. */
export type Entry = {
  name: string
  /** What the map of the keyboard calls it, where the name alone could be another one's. */
  title?: string
  /** The second key of `g …`: the same page has the same one in every scope. */
  letter: string
  icon: LucideIcon
  link: LinkProps
  /** The addresses below its own belong to other entries. */
  exact?: boolean
  /** Why it leads nowhere: what everybody works with is shown all the same, and says so. */
  blocked?: string | undefined
  firing?: boolean
}

type Asked = { anyOf: Permission[]; said?: boolean }
type Listed = Entry | (Entry & Asked)

const INSIGHTS: Asked = { anyOf: ['OBSERVABILITY_MGT_VIEW_INSIGHTS'], said: true }
const LOGS: Asked = { anyOf: ['OBSERVABILITY_MGT_VIEW_LOGS'], said: true }
const INTEGRATIONS: Asked = { anyOf: ['INTEGRATION_MGT_VIEW'], said: true }
const SECRETS: Asked = { anyOf: ['ENVIRONMENT_MGT_MANAGE_NONPROD', 'INTEGRATION_MGT_MANAGE'] }
const SEES_USERS: Permission[] = ['USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS']
const ACCESS: Asked = { anyOf: ['USER_MGT_UPDATE_GROUP_ROLES', 'USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_ROLES'] }

/** The pages of a scope that are shown to somebody: administration only to those whom it is open to. */
export function entriesOf({ project, integration }: Scope, held: readonly Permission[]): Entry[] {
  const listed =
    project && integration
      ? integrationEntries(project, integration)
      : project
        ? projectEntries(project)
        : organizationEntries(held)
  return listed.flatMap((entry) => {
    if (!('anyOf' in entry)) return [entry]
    const { anyOf, said, ...rest } = entry
    const blocked = mayNot(held, ...anyOf)
    return blocked && !said ? [] : [{ ...rest, blocked }]
  })
}

/** Where a second key leads: to a page beside the present one, and where none of them has it, to one of the whole organization. */
export function entryFor(letter: string, scope: Scope, held: readonly Permission[]): Entry | undefined {
  return everyEntry(scope, held).find((entry) => entry.letter === letter)
}

/** All that keys lead to from a scope, the nearest first and each key once. */
export function everyEntry(scope: Scope, held: readonly Permission[]): Entry[] {
  const near = entriesOf(scope, held)
  const far = entriesOf({ project: undefined, integration: undefined }, held)
  return [...near, ...far.filter(({ letter }) => near.every((entry) => entry.letter !== letter))]
}

function organizationEntries(held: readonly Permission[]): Listed[] {
  const { nav } = shell
  return [
    { name: nav.overview, letter: 'o', icon: LayoutDashboard, link: to.home(), exact: true },
    { name: nav.runtimes, letter: 'r', icon: Boxes, link: to.runtimes() },
    { name: nav.drift, letter: 'w', icon: GitCompareArrows, link: to.drift(), ...INTEGRATIONS },
    { name: nav.projects, letter: 'p', icon: FolderTree, link: to.projects() },
    { name: nav.environments, letter: 'e', icon: Layers, link: to.environments() },
    { name: nav.secrets, letter: 's', icon: KeyRound, link: to.secrets(), ...SECRETS },
    { name: nav.logs, letter: 'l', icon: Logs, link: to.logs(), ...LOGS },
    { name: nav.traces, letter: 't', icon: Waypoints, link: to.traces(), ...INSIGHTS },
    { name: nav.metrics, letter: 'm', icon: ChartLine, link: to.metrics(), ...INSIGHTS },
    {
      name: nav.alerts,
      letter: 'b',
      icon: BellRing,
      link: to.alerts(),
      firing: true,
      ...INTEGRATIONS,
    },
    { name: nav.events, letter: 'v', icon: Activity, link: to.events() },
    {
      name: nav.access,
      letter: 'a',
      icon: Users,
      link: mayNot(held, ...SEES_USERS) ? to.groups() : to.users(),
      ...ACCESS,
    },
    { name: nav.audit, letter: 'u', icon: ScrollText, link: to.audit(), anyOf: ['AUDIT_MGT_VIEW'] },
  ]
}

function projectEntries(project: string): Listed[] {
  const { nav } = shell
  return [
    { name: nav.integrations, letter: 'i', icon: Workflow, link: to.project(project), exact: true },
    { name: nav.runtimes, letter: 'r', icon: Boxes, link: to.projectRuntimes(project) },
  ]
}

function integrationEntries(project: string, integration: string): Listed[] {
  const { nav } = shell
  return [
    {
      name: nav.overview,
      title: nav.integrationOverview,
      letter: 'i',
      icon: LayoutDashboard,
      link: to.integration(project, integration),
      exact: true,
    },
    { name: nav.runtimes, letter: 'r', icon: Boxes, link: to.integrationRuntimes(project, integration) },
    { name: nav.steering, letter: 'd', icon: SlidersHorizontal, link: to.steering(project, integration) },
    { name: nav.artifacts, letter: 'f', icon: Package, link: to.integrationArtifacts(project, integration) },
    { name: nav.tryIt, letter: 'y', icon: Send, link: to.tryIt(project, integration) },
    { name: nav.logs, letter: 'l', icon: Logs, link: to.integrationLogs(project, integration), ...LOGS },
    { name: nav.traces, letter: 't', icon: Waypoints, link: to.integrationTraces(project, integration), ...INSIGHTS },
    { name: nav.metrics, letter: 'm', icon: ChartLine, link: to.integrationMetrics(project, integration), ...INSIGHTS },
    { name: nav.events, letter: 'v', icon: Activity, link: to.integrationEvents(project, integration) },
    { name: nav.secrets, letter: 's', icon: KeyRound, link: to.integrationSecrets(project, integration), ...SECRETS },
  ]
}
