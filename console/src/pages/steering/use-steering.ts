import { useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useState } from 'react'
import {
  ChangeArtifactDocument,
  ChangeLogLevelDocument,
  type ChangeOutcomeFragment,
  ForgetDesiredStateDocument,
  ResetLogLevelDocument,
  RetryCommandDocument,
  type RuntimeLabelFragment,
  TriggerArtifactDocument,
} from '@/api/generated/operations'
import type { RuntimeType } from '@/api/generated/schema'
import type { Place } from '@/api/queries'
import { graphql } from '@/api/request'
import { useRuntimeChanges } from '@/live/hub'
import { commands as words } from '@/strings/steering'
import { announce } from '@/ui/announcer'
import { runtimeLabel } from '@/util/runtime-label'
import { type Command, isOpen, type Target } from './standing'

/** So many commands are remembered while the page is open; the oldest go first. */
const REMEMBERED = 2_000

export type SteeringSituation = {
  place: Place
  environment: { handle: string; displayName: string; critical: boolean }
  type: RuntimeType
  /** Runtimes that do not run: the first of them, and how many there are. */
  resting: { named: RuntimeLabelFragment[]; count: number }
  /** Commands as the line told of them since the page opened. */
  seen: ReadonlyMap<string, Command>
  remember: (commands: Command[]) => void
  /** Why this person may change nothing, or undefined. */
  blocked: string | undefined
}

export const SteeringContext = createContext<SteeringSituation | null>(null)

export function useSituation(): SteeringSituation {
  const situation = useContext(SteeringContext)
  if (!situation) throw new Error('There is no steering around this.')
  return situation
}

/** Follows the commands of a place, and says aloud how each one ended. */
export function useSeenCommands({ project, integration, environment }: Place) {
  const [seen, setSeen] = useState<ReadonlyMap<string, Command>>(new Map())
  useRuntimeChanges(({ command }) => {
    if (!command) return
    const { runtime } = command
    if (
      runtime.project.handle !== project ||
      runtime.integration.handle !== integration ||
      runtime.environment.handle !== environment
    )
      return
    setSeen((before) => new Map([...before, [command.id, command] as const].slice(-REMEMBERED)))
    if (!isOpen(command) && command.state !== 'SUPERSEDED') {
      const what = [words.actions[command.action], command.name].filter(Boolean).join(' ')
      announce(words.said(what, runtimeLabel(runtime), words.states[command.state]))
    }
  })
  /** What an answer tells is older than what the line said meanwhile. */
  const remember = (commands: Command[]) =>
    setSeen((before) => new Map([...commands.map((each) => [each.id, each] as const), ...before]))
  return { seen, remember }
}

/** What can be asked of a target. Nothing is shown as done before a runtime reports it. */
export function useSteer() {
  const { place, remember } = useSituation()
  const client = useQueryClient()
  const settle = (commands: Command[]) => {
    remember(commands)
    void client.invalidateQueries({ queryKey: ['steering'] })
    void client.invalidateQueries({ queryKey: ['commands'] })
  }
  const changed = (outcome: ChangeOutcomeFragment) => settle(outcome.commands)
  return {
    change: async ({ kind, name, package: from, aspect }: Target, value: string, confirm: string | null) => {
      const input = { ...place, kind, name, package: from || null, aspect, value, confirm }
      changed((await graphql(ChangeArtifactDocument, { input })).changeArtifact)
    },
    setLevel: async (logger: string, level: string, confirm: string | null) => {
      changed((await graphql(ChangeLogLevelDocument, { input: { ...place, logger, level, confirm } })).changeLogLevel)
    },
    resetLevel: async (logger: string, confirm: string | null) => {
      changed((await graphql(ResetLogLevelDocument, { input: { ...place, logger, confirm } })).resetLogLevel)
    },
    forget: async ({ kind, name, package: from, aspect }: Target) => {
      await graphql(ForgetDesiredStateDocument, { input: { ...place, kind, name, package: from || null, aspect } })
      settle([])
    },
    run: async (runtime: string, { kind, name, package: from }: Omit<Target, 'aspect'>, confirm: string | null) => {
      const input = { runtime, kind, name, package: from || null, confirm }
      settle([(await graphql(TriggerArtifactDocument, { input })).triggerArtifact])
    },
    retry: async (id: string) => settle([(await graphql(RetryCommandDocument, { id })).retryCommand]),
  }
}
