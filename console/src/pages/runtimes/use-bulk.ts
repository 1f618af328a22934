import { useSyncExternalStore } from 'react'
import {
  ChangeLogLevelDocument,
  CommandDocument,
  DeleteRuntimeDocument,
  RestartRuntimeDocument,
  RetryCommandDocument,
  type RuntimeRowFragment,
} from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { hub } from '@/live/hub'
import { bulk } from '@/strings/bulk'
import { announce } from '@/ui/announcer'
import { runtimeLabel } from '@/util/runtime-label'
import type { PlaceGroup } from './bulk'
import { BulkRun, type Progress, type Task, type World } from './bulk-run'

const words = bulk.progress

const world: World = {
  listen: hub.listen,
  recent: () => hub.since(0),
  read: async (id) => (await graphql(CommandDocument, { id })).command,
  retry: async (id) => (await graphql(RetryCommandDocument, { id })).retryCommand,
}

let current: BulkRun | undefined
const watchers = new Set<() => void>()
const watch = (watcher: () => void) => {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

function show(run: BulkRun | undefined): void {
  current = run
  for (const watcher of watchers) watcher()
}

/** The run that was begun last, until it is put away. */
export const useBulkRun = (): BulkRun | undefined => useSyncExternalStore(watch, () => current)

export const putAway = () => show(undefined)

const NOTHING: Progress = { title: '', lines: [], ended: 0, bad: 0, over: true }
const unwatched = () => () => undefined

export function useProgress(run: BulkRun | undefined): Progress {
  return useSyncExternalStore(run?.watch ?? unwatched, () => run?.progress() ?? NOTHING)
}

function begin(title: string, tasks: Task[]): void {
  const run = new BulkRun(title, tasks, world)
  const stop = run.watch(() => {
    const { over, ended, bad } = run.progress()
    if (!over) return
    stop()
    announce(words.under(title, words.counts(ended, run.progress().lines.length, bad)))
  })
  show(run)
  run.start()
}

/** What must be typed for an environment, where it is critical. */
const confirmation = ({ handle, critical }: RuntimeRowFragment['environment']) => (critical ? handle : null)

const about = (row: RuntimeRowFragment) => ({ key: row.id, runtime: row.id, label: runtimeLabel(row) })

export function restartAll(rows: RuntimeRowFragment[]): void {
  const tasks = rows.map((row) => ({
    ...about(row),
    send: async () => {
      const confirm = confirmation(row.environment)
      return { command: (await graphql(RestartRuntimeDocument, { id: row.id, confirm })).restartRuntime }
    },
  }))
  begin(words.titles.restart(rows.length), tasks)
}

export function setLevelIn(places: PlaceGroup[], logger: string, level: string): void {
  const tasks = places.map(({ key, place, environment }) => ({
    key,
    label: key,
    send: async () => {
      const input = { ...place, logger, level, confirm: confirmation(environment) }
      const { commands, waiting } = (await graphql(ChangeLogLevelDocument, { input })).changeLogLevel
      return { commands, said: words.asked(commands.length, waiting) }
    },
  }))
  begin(words.titles.level(logger, level), tasks)
}

export function removeAll(rows: RuntimeRowFragment[], revokeSecret: boolean): void {
  const tasks = rows.map((row) => ({
    ...about(row),
    send: async () => {
      const { orphanedKeyId, secretRevoked } = (await graphql(DeleteRuntimeDocument, { id: row.id, revokeSecret }))
        .deleteRuntime
      if (orphanedKeyId === null) return { said: words.removed }
      return { said: secretRevoked ? words.removedRevoked(orphanedKeyId) : words.orphaned(orphanedKeyId) }
    },
  }))
  begin(words.titles.remove(rows.length), tasks)
}
