import { useQuery, useQueryClient } from '@tanstack/react-query'
import { LoaderCircle } from 'lucide-react'
import { type ReactNode, useEffect, useEffectEvent, useState } from 'react'
import { AskRuntimeDocument, type AskRuntimeInput } from '@/api/generated/operations'
import { commandQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { runtime } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CommandMark } from '@/ui/command'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty } from '@/ui/states'
import { useAction } from '@/util/use-action'
import { readAnswer } from './answers'

const words = runtime.answer

type QuestionProps = {
  input: AskRuntimeInput
  /** Stands beside the button that asks again. */
  beside?: ReactNode
  /** Without the button, where another one asks for both. */
  quiet?: boolean
  children: (answer: unknown) => ReactNode
}

/** Asks a runtime something that heartbeats do not carry, and shows how the question stands until it is answered. */
export function Question({ input, beside, quiet = false, children }: QuestionProps) {
  const client = useQueryClient()
  const [asked, setAsked] = useState<string>()
  const { run, pending, problem } = useAction(async () => {
    const { askRuntime } = await graphql(AskRuntimeDocument, { input })
    client.setQueryData(commandQuery(askRuntime.id).queryKey, askRuntime)
    void client.invalidateQueries({ queryKey: ['commands'] })
    setAsked(askRuntime.id)
  })
  const begin = useEffectEvent(() => void run())
  const key = JSON.stringify(input)
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once when it opens, and anew with each other question
  useEffect(() => begin(), [key])
  return (
    <>
      {!quiet && (
        <div className="flex flex-wrap items-center gap-2">
          {beside}
          <Button onClick={() => !pending && void run()} aria-busy={pending}>
            {words.ask}
          </Button>
        </div>
      )}
      <ProblemText problem={problem} except={[]} />
      {asked && <Answer id={asked}>{children}</Answer>}
      {!asked && pending && <Waiting>{words.waiting}</Waiting>}
    </>
  )
}

function Waiting({ children }: { children: ReactNode }) {
  return (
    <p role="status" className="flex flex-wrap items-center gap-2 text-muted">
      <LoaderCircle size={14} className="animate-spin" aria-hidden />
      {children}
    </p>
  )
}

function Answer({ id, children }: { id: string; children: (answer: unknown) => ReactNode }) {
  const query = useQuery(commandQuery(id))
  const command = query.data
  if (command === null) return <Empty title={words.gone}>{words.goneText}</Empty>
  if (command === undefined) {
    return query.isError ? (
      <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
    ) : (
      <Waiting>{words.waiting}</Waiting>
    )
  }
  if (command.state === 'QUEUED' || command.state === 'DELIVERED') {
    return (
      <Waiting>
        <CommandMark state={command.state} />
        <Said text={command.reason} />
      </Waiting>
    )
  }
  if (command.state !== 'CONFIRMED') {
    return (
      <p role="alert" className="rounded-md bg-bad-soft px-2.5 py-2">
        <CommandMark state={command.state} /> <Said text={command.reason} />
      </p>
    )
  }
  if (command.result === null) return <Empty title={words.gone}>{words.goneText}</Empty>
  return children(readAnswer(command.result))
}
