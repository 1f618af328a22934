import { useSearch } from '@tanstack/react-router'
import { useEffect, useEffectEvent } from 'react'
import type { AskRuntimeInput } from '@/api/generated/operations'
import { RestartRuntimeDocument } from '@/api/generated/operations'
import { graphql } from '@/api/request'
import { runtime as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CopyCli } from '@/ui/copy'
import { notify } from '@/ui/notices'
import { cli } from '@/util/cli'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import { mayNot } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import type { RuntimeSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { useSearchState } from '@/util/use-search-state'
import type { RuntimeFacts } from './index'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const Ask = lazily(async () => (await import('./ask')).Ask)
const RemoveRuntime = lazily(async () => (await import('./remove')).RemoveRuntime)

export type Question = Omit<AskRuntimeInput, 'runtime'>

/** Why a runtime cannot be asked anything now, or undefined. */
export function askBlockedFor({
  status,
  permissions,
}: Pick<RuntimeFacts, 'status' | 'permissions'>): string | undefined {
  return mayNot(permissions, 'INTEGRATION_MGT_VIEW') ?? (status === 'RUNNING' ? undefined : words.actions.notRunning)
}

type ActionsProps = { runtime: RuntimeFacts; onAsk: (question: Question) => void }

/** What can be done with one runtime; what cannot says why. */
export function Actions({ runtime, onAsk }: ActionsProps) {
  const askBlocked = askBlockedFor(runtime)
  const { act } = useSearch({ from: `/shell${PATH.runtime}` })
  const change = useSearchState<RuntimeSearch>()
  const setOpen = (next: RuntimeSearch['act']) => change({ act: next }, true)
  const close = () => setOpen(undefined)
  const mayNotEdit = mayNot(runtime.permissions, 'INTEGRATION_MGT_EDIT')
  const restartBlocked =
    runtime.status !== 'RUNNING'
      ? words.actions.notRunning
      : runtime.restartable
        ? undefined
        : words.actions.notRestartable
  const mayNotRestart = mayNotEdit ?? (runtime.type === 'PY' ? restartBlocked : words.actions.notRestartable)
  const mayNotRemove = mayNot(runtime.permissions, 'INTEGRATION_MGT_MANAGE')
  // A link that asks for what cannot be done says why; the buttons say it, too.
  const refused = act && { restart: mayNotRestart, remove: mayNotRemove }[act]
  const open = refused ? undefined : act
  const refuse = useEffectEvent((why: string) => {
    notify(why, 'bad')
    close()
  })
  useEffect(() => {
    if (refused) refuse(refused)
  }, [refused])
  return (
    <>
      {runtime.type !== 'BI' && (
        <Button blocked={askBlocked} onClick={() => onAsk({ question: 'LOGGERS' })}>
          {words.actions.loggers}
        </Button>
      )}
      {runtime.type === 'MI' && (
        <>
          <Button blocked={askBlocked} onClick={() => onAsk({ question: 'LOG_FILES' })}>
            {words.actions.files}
          </Button>
          <Button blocked={askBlocked} onClick={() => onAsk({ question: 'REGISTRY' })}>
            {words.actions.registry}
          </Button>
          <Button blocked={mayNotEdit ?? askBlocked} onClick={() => onAsk({ question: 'USERS' })}>
            {words.actions.users}
          </Button>
        </>
      )}
      {runtime.type === 'PY' && (
        <Button blocked={mayNotRestart} onClick={() => setOpen('restart')}>
          {words.actions.restart}
        </Button>
      )}
      <Button blocked={mayNotRemove} onClick={() => setOpen('remove')}>
        {words.actions.remove}
      </Button>
      {open === 'restart' && <Restart runtime={runtime} onClose={close} />}
      {open === 'remove' && <RemoveRuntime runtime={runtime} onClose={close} />}
    </>
  )
}

function Restart({ runtime, onClose }: { runtime: RuntimeFacts; onClose: () => void }) {
  const label = runtimeLabel(runtime)
  const { run, pending, problem } = useAction(async (confirm: string | null) => {
    await graphql(RestartRuntimeDocument, { id: runtime.id, confirm })
    notify(words.actions.restartAsked(label))
    onClose()
  })
  return (
    <ConfirmDialog
      title={words.actions.restartTitle(label)}
      about={words.actions.restartAbout}
      submit={words.actions.restart}
      environment={runtime.environment}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={(confirm) => void run(confirm)}
      onClose={onClose}
    >
      <CopyCli command={cli.restartRuntime(runtime)} />
    </ConfirmDialog>
  )
}

type AskedProps = {
  runtime: RuntimeFacts
  question: Question
  path: string | undefined
  onPath: (path: string | undefined) => void
  onClose: () => void
}

export function Asking({ runtime, question, path, onPath, onClose }: AskedProps) {
  const label = runtimeLabel(runtime)
  const { actions } = words
  const titles: Partial<Record<Question['question'], [string, string]>> = {
    LOGGERS: [actions.loggersTitle(label), actions.loggersAbout],
    LOG_FILES: [actions.filesTitle(label), actions.filesAbout],
    REGISTRY: [actions.registryTitle(label), actions.registryAbout],
    USERS: [actions.usersTitle(label), actions.usersAbout],
    SOURCE: [actions.sourceTitle(question.name ?? ''), actions.sourceAbout],
  }
  const [title, about] = titles[question.question] ?? [label, '']
  return (
    <Ask
      title={title}
      about={about}
      input={{ ...question, runtime: runtime.id }}
      asked={runtime}
      usersBlocked={mayNot(runtime.permissions, 'INTEGRATION_MGT_EDIT') ?? askBlockedFor(runtime)}
      path={path}
      filesBlocked={mayNot(runtime.permissions, 'OBSERVABILITY_MGT_VIEW_LOGS')}
      onPath={onPath}
      onClose={onClose}
    />
  )
}
