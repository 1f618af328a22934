import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Boxes, FolderTree, History, Layers, Workflow } from 'lucide-react'
import { environmentsQuery, integrationsQuery, projectsQuery, runtimesQuery } from '@/api/queries'
import { shell } from '@/strings/shell'
import type { ChoiceGroup } from '@/ui/picking'
import { Status } from '@/ui/status'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { recent } from '@/util/recent'
import { runtimeLabel } from '@/util/runtime-label'
import { askedOf, thingsGroup } from './palette-things'

const SHOWN = 8
/** What is shown answers what was typed before. */
const stale = (found: { isPending: boolean; isPlaceholderData: boolean }) => found.isPending || found.isPlaceholderData
const icon = { size: 14, 'aria-hidden': true } as const

export type Target = ReturnType<(typeof to)[keyof typeof to]>
/** Gives what leads to a page; the palette closes with it. */
export type Go = (target: Target) => () => void

/** The pages about one thing that were open last: what an empty box offers first. */
export function recentGroup(here: string, go: (href: string) => () => void): ChoiceGroup {
  return {
    title: shell.palette.recent,
    choices: recent()
      .filter(({ href }) => href !== here)
      .map(({ href, title }) => ({
        key: `recent ${href}`,
        label: title,
        hint: <code>{decodeURI(href)}</code>,
        icon: <History {...icon} />,
        pick: go(href),
      })),
  }
}

/** Everything that has a name, as the API finds it. */
export function useFound(typed: string, go: Go): ChoiceGroup[] {
  const { verb, name: search } = askedOf(typed)
  const kept = { placeholderData: <T,>(before: T | undefined) => before }
  const blocked = useBlocked()
  const sees = !blocked('INTEGRATION_MGT_VIEW')
  const projects = useInfiniteQuery({ ...projectsQuery(search, SHOWN), ...kept })
  const integrations = useInfiniteQuery({ ...integrationsQuery(null, search, SHOWN), ...kept })
  // Of thousands of runtimes the first eight are nobody's answer: they are looked for by what is typed.
  const asksRuntimes = sees && search !== ''
  const runtimes = useInfiniteQuery({ ...runtimesQuery({ search }, SHOWN), ...kept, enabled: asksRuntimes })
  const environments = useQuery(environmentsQuery)
  const has = (text: string) => text.toLowerCase().includes(search.toLowerCase())
  const things = thingsGroup({
    verb,
    runtimes: asksRuntimes ? (runtimes.data?.pages[0]?.nodes ?? []) : [],
    integrations: search === '' ? [] : (integrations.data?.pages[0]?.nodes ?? []),
    stale: stale(integrations) || (asksRuntimes && stale(runtimes)),
    blocked,
    go,
  })
  if (verb) return [things]
  return [
    {
      title: shell.projects,
      stale: stale(projects),
      choices: (projects.data?.pages[0]?.nodes ?? []).map((project) => ({
        key: `project ${project.handle}`,
        label: project.displayName,
        alias: project.handle,
        hint: <code>{project.handle}</code>,
        icon: <FolderTree {...icon} />,
        pick: go(to.project(project.handle)),
      })),
    },
    {
      title: shell.integrations,
      stale: stale(integrations),
      choices: (integrations.data?.pages[0]?.nodes ?? []).map((integration) => ({
        key: `integration ${integration.project.handle}/${integration.handle}`,
        label: integration.displayName,
        alias: integration.handle,
        hint: integration.project.displayName,
        icon: <Workflow {...icon} />,
        pick: go(to.integration(integration.project.handle, integration.handle)),
      })),
    },
    {
      title: shell.palette.runtimes,
      stale: asksRuntimes && stale(runtimes),
      choices: !asksRuntimes
        ? []
        : (runtimes.data?.pages[0]?.nodes ?? []).map((runtime) => ({
            key: `runtime ${runtime.id}`,
            label: runtimeLabel(runtime),
            alias: runtime.runtimeId,
            hint: <Status status={runtime.status} />,
            icon: <Boxes {...icon} />,
            pick: go(to.runtime(runtime.id)),
          })),
    },
    {
      title: shell.palette.environments,
      stale: environments.isPending,
      choices: (environments.data?.nodes ?? [])
        .filter((environment) => has(environment.displayName) || has(environment.handle))
        .map((environment) => ({
          key: `environment ${environment.handle}`,
          label: environment.displayName,
          alias: environment.handle,
          hint: <code>{environment.handle}</code>,
          icon: <Layers {...icon} />,
          pick: go(to.runtimes(environment.handle)),
        })),
    },
    things,
  ]
}
