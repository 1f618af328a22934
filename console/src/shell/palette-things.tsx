import { FileText, RotateCcw, SlidersHorizontal, Trash2 } from 'lucide-react'
import type { ReactNode } from 'react'
import type { IntegrationRowFragment, Permission, RuntimeRowFragment } from '@/api/generated/operations'
import { runtime as runtimeWords } from '@/strings/runtimes'
import { shell } from '@/strings/shell'
import { notify } from '@/ui/notices'
import type { Choice, ChoiceGroup } from '@/ui/picking'
import { to } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import type { Go, Target } from './palette-found'

const { verbs, typed } = shell.palette
export type Verb = keyof typeof typed

/** So many things are offered with all that can be done; who types what to do sees more of them. */
const SHOWN = 2
const icon = { size: 14, 'aria-hidden': true } as const

/** What is to be done, and with what: the longest beginning that is known counts. */
export function askedOf(query: string): { verb: Verb | undefined; name: string } {
  const text = query.trim().toLowerCase()
  const known = (Object.entries(typed) as [Verb, readonly string[]][])
    .flatMap(([verb, words]) => words.map((word) => ({ verb, word })))
    .sort((a, b) => b.word.length - a.word.length)
  const found = known.find(({ word }) => text.startsWith(`${word} `))
  return { verb: found?.verb, name: found ? query.trim().slice(found.word.length).trim() : query.trim() }
}

type Deed = { verb: Verb; icon: ReactNode; target: Target; blocked: string | undefined }
type Blocked = (...anyOf: Permission[]) => string | undefined

function ofRuntime(each: RuntimeRowFragment, blocked: Blocked): Deed[] {
  const { project, integration, environment } = each
  const place = { environment: environment.handle, kind: 'LOGGER' } as const
  const restart: Deed = {
    verb: 'restart',
    icon: <RotateCcw {...icon} />,
    target: to.runtime(each.id, { act: 'restart' }),
    blocked:
      blocked('INTEGRATION_MGT_EDIT') ?? (each.status === 'RUNNING' ? undefined : runtimeWords.actions.notRunning),
  }
  return [
    ...(each.type === 'PY' ? [restart] : []),
    {
      verb: 'logs',
      icon: <FileText {...icon} />,
      target: to.integrationLogs(project.handle, integration.handle, { runtime: each.runtimeId }),
      blocked: blocked('OBSERVABILITY_MGT_VIEW_LOGS'),
    },
    {
      verb: 'levels',
      icon: <SlidersHorizontal {...icon} />,
      target: to.steering(project.handle, integration.handle, place),
      blocked: blocked('INTEGRATION_MGT_EDIT'),
    },
    {
      verb: 'remove',
      icon: <Trash2 {...icon} />,
      target: to.runtime(each.id, { act: 'remove' }),
      blocked: blocked('INTEGRATION_MGT_MANAGE'),
    },
  ]
}

function ofIntegration({ project, handle, permissions }: IntegrationRowFragment): Deed[] {
  return [
    {
      verb: 'logs',
      icon: <FileText {...icon} />,
      target: to.integrationLogs(project.handle, handle),
      blocked: mayNot(permissions, 'OBSERVABILITY_MGT_VIEW_LOGS'),
    },
    {
      verb: 'steer',
      icon: <SlidersHorizontal {...icon} />,
      target: to.steering(project.handle, handle),
      blocked: mayNot(permissions, 'INTEGRATION_MGT_EDIT'),
    },
  ]
}

type Things = {
  verb: Verb | undefined
  runtimes: RuntimeRowFragment[]
  integrations: IntegrationRowFragment[]
  stale: boolean
  blocked: Blocked
  go: Go
}

/** What can be done with what was found. Each leads to the page that asks before it does anything. */
export function thingsGroup({ verb, runtimes, integrations, stale, blocked, go }: Things): ChoiceGroup {
  const some = <Row,>(rows: Row[]) => (verb ? rows : rows.slice(0, SHOWN))
  const choice = (id: string, name: string, deed: Deed): Choice => ({
    key: `${deed.verb} ${id}`,
    label: verbs[deed.verb](name),
    icon: deed.icon,
    blocked: deed.blocked,
    pick: deed.blocked ? () => notify(deed.blocked ?? '', 'bad') : go(deed.target),
  })
  const all = [
    ...some(runtimes).flatMap((each) =>
      ofRuntime(each, blocked).map((deed) => ({ deed, made: choice(each.id, runtimeLabel(each), deed) })),
    ),
    ...some(integrations).flatMap((each) =>
      ofIntegration(each).map((deed) => ({
        deed,
        made: choice(`${each.project.handle}/${each.handle}`, each.displayName, deed),
      })),
    ),
  ]
  return {
    title: shell.palette.things,
    // What was found is of what was typed before: its names are in these, and what does not fit is not shown.
    stale: stale && verb === undefined,
    choices: stale && verb ? [] : all.filter(({ deed }) => !verb || deed.verb === verb).map(({ made }) => made),
  }
}
