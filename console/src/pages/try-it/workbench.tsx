import { useSearch } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { asProblem } from '@/api/problem'
import { sendTried } from '@/api/try-it'
import { tryIt as words } from '@/strings/try-it'
import { Choose } from '@/ui/choose'
import { Said } from '@/ui/said'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import type { TryItSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AnswerCard, type Shown } from './answer-card'
import { type Draft, draftOf, emptyDraft, headersOf, takesBody, targetOf } from './compose'
import { Composer } from './composer'
import { type Past, remember } from './history'
import type { TriedRuntime } from './index'
import { OperationList } from './operation-list'
import type { Operation } from './operations'
import { Outcomes } from './outcomes'
import { PastCard } from './past-card'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

type WorkbenchProps = { runtime: TriedRuntime; operations: Operation[]; note: string | undefined }

/** One runtime: what it offers, what is asked, what came back. */
export function Workbench({ runtime, operations, note }: WorkbenchProps) {
  const search = useSearch({ from: `/shell${PATH.integrationTryIt}` })
  const change = useSearchState<TryItSearch>()
  const operation = operations.find(({ key }) => key === search.operation)
  const [drafts, setDrafts] = useState<Record<string, Draft>>({})
  const draft = drafts[operation?.key ?? ''] ?? (operation ? draftOf(operation) : emptyDraft)
  const setDraft = (next: Draft) => setDrafts((before) => ({ ...before, [operation?.key ?? '']: next }))
  const [shown, setShown] = useState<Shown>()
  const [asking, setAsking] = useState(false)
  const [confirmed, setConfirmed] = useState(false)
  const under = useRef<AbortController>(undefined)
  const [isSending, setSending] = useState(false)
  useEffect(() => () => under.current?.abort(), [])

  const { doors, blocked, host } = runtime.tryIt
  const door =
    doors.find(({ port }) => port === search.port) ?? doors.find(({ port }) => port === operation?.port) ?? doors[0]
  const name = runtimeLabel(runtime)
  const origin = door ? `${door.scheme}://${authority(host ?? runtime.address ?? 'localhost')}:${door.port}` : ''

  const send = async () => {
    if (!door) return
    const target = targetOf(operation, draft)
    const controller = new AbortController()
    under.current = controller
    setSending(true)
    const begun = {
      at: Date.now(),
      runtime: { id: runtime.id, name },
      port: door.port,
      operation: operation?.key,
      draft,
      target,
    }
    const body = takesBody(draft.method) && draft.body ? { body: draft.body } : {}
    const tried = { runtime: runtime.id, port: door.port, method: draft.method, path: target, ...body }
    try {
      const answer = await sendTried({ ...tried, headers: headersOf(operation, draft) }, controller.signal)
      setShown({ answer })
      remember({ ...begun, answer, failed: undefined })
    } catch (error) {
      const problem = asProblem(error)
      setShown(controller.signal.aborted ? { stopped: true } : { problem })
      remember({ ...begun, answer: undefined, failed: controller.signal.aborted ? words.stop : problem.code })
    } finally {
      setSending(false)
    }
  }
  const take = (past: Past) => {
    setDrafts((before) => ({ ...before, [past.operation ?? '']: past.draft }))
    setShown(past.answer ? { answer: past.answer } : undefined)
    change({ operation: past.operation, runtime: past.runtime.id, port: past.port })
  }
  const changesSomething = takesBody(draft.method) && runtime.environment.critical

  return (
    <>
      {blocked && (
        <p role="note" className="mb-3 rounded-md bg-warn-soft px-3 py-2">
          <Said text={blocked.message} /> <Said text={blocked.fix} /> <code>{blocked.code}</code>
        </p>
      )}
      <div className="grid gap-x-4 lg:grid-cols-[minmax(240px,340px)_minmax(0,1fr)]">
        <div className="min-w-0">
          {doors.length > 0 && (
            <div className="mb-3">
              <Choose
                label={words.port}
                className="w-full"
                value={String(door?.port ?? '')}
                onChange={(next) => change({ port: next ? Number(next) : undefined }, true)}
                choices={doors.map((each) => [
                  String(each.port),
                  each.open ? words.door(each) : words.closedDoor(words.door(each)),
                ])}
              />
            </div>
          )}
          <OperationList
            operations={operations}
            chosen={operation?.key}
            note={note}
            onChoose={(key) => change({ operation: key })}
          />
        </div>
        <div className="min-w-0">
          <Composer
            operation={operation}
            draft={draft}
            origin={origin}
            asked={door && { id: runtime.id, port: door.port, environment: runtime.environment }}
            blocked={blocked?.message}
            isSending={isSending}
            onChange={setDraft}
            onSend={() => (changesSomething && !confirmed ? setAsking(true) : void send())}
            onStop={() => under.current?.abort()}
          />
          <AnswerCard shown={shown} />
          {operation && operation.outcomes.length > 0 && <Outcomes outcomes={operation.outcomes} />}
          <PastCard onTake={take} />
        </div>
      </div>
      {asking && (
        <ConfirmDialog
          title={words.confirmTitle(runtime.environment.displayName)}
          about={words.confirmAbout(`${draft.method} ${draft.path}`, name)}
          submit={words.send}
          look="danger"
          environment={runtime.environment}
          pending={false}
          problem={undefined}
          onConfirm={() => {
            setAsking(false)
            setConfirmed(true)
            void send()
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}

const authority = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)
