import { useQuery, useQueryClient } from '@tanstack/react-query'
import { LoaderCircle } from 'lucide-react'
import { type ReactNode, useEffect, useEffectEvent, useState } from 'react'
import { AskRuntimeDocument, type AskRuntimeInput, type CommandQuery } from '@/api/generated/operations'
import { commandQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { strings } from '@/strings/common'
import { runtime } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CommandMark } from '@/ui/command'
import { CodeBlock } from '@/ui/copy'
import { Panel } from '@/ui/dialog'
import { TableBox } from '@/ui/page'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty } from '@/ui/states'
import { useAction } from '@/util/use-action'
import { filesIn, loggersIn, readAnswer, sourceIn } from './answers'

const words = runtime.answer

type AskProps = { title: string; about: string; input: AskRuntimeInput; onClose: () => void }

/** Asks a runtime something that heartbeats do not carry, and shows how the question stands until it is answered. */
export function Ask({ title, about, input, onClose }: AskProps) {
  const client = useQueryClient()
  const [search, setSearch] = useState('')
  const [asked, setAsked] = useState<string>()
  const { run, pending, problem } = useAction(async () => {
    const question = input.question === 'LOGGERS' ? { ...input, name: search || null } : input
    const { askRuntime } = await graphql(AskRuntimeDocument, { input: question })
    client.setQueryData(commandQuery(askRuntime.id).queryKey, askRuntime)
    void client.invalidateQueries({ queryKey: ['commands'] })
    setAsked(askRuntime.id)
  })
  const begin = useEffectEvent(() => void run())
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked anew with each search, and once when it opens
  useEffect(() => begin(), [search])
  return (
    <Panel open onOpenChange={(open) => !open && onClose()} title={title} about={about}>
      <div className="space-y-3 px-5 py-3">
        <div className="flex flex-wrap items-center gap-2">
          {input.question === 'LOGGERS' && (
            <SearchBox label={runtime.actions.loggersSearch} value={search} onSearch={setSearch} />
          )}
          <Button onClick={() => !pending && void run()} aria-busy={pending}>
            {words.ask}
          </Button>
        </div>
        <ProblemText problem={problem} except={[]} />
        {asked && <Answer id={asked} question={input.question} name={input.name ?? ''} />}
        {!asked && pending && <Waiting>{words.waiting}</Waiting>}
      </div>
    </Panel>
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

type AnswerProps = { id: string; question: AskRuntimeInput['question']; name: string }

function Answer({ id, question, name }: AnswerProps) {
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
  return <Answered command={command} question={question} name={name} />
}

type AnsweredProps = { command: NonNullable<CommandQuery['command']>; question: AnswerProps['question']; name: string }

function Answered({ command: { result }, question, name }: AnsweredProps) {
  if (result === null) return <Empty title={words.gone}>{words.goneText}</Empty>
  const answer = readAnswer(result)
  if (question === 'LOGGERS') return <Loggers answer={answer} />
  if (question === 'LOG_FILES') return <Files answer={answer} />
  const source = sourceIn(answer)
  return source ? <CodeBlock code={source} label={name} /> : <Empty title={words.none} />
}

function Loggers({ answer }: { answer: unknown }) {
  const { loggers, total } = loggersIn(answer)
  if (loggers.length === 0) return <Empty title={words.noLoggers} />
  const detailed = loggers.some((each) => each.effective !== undefined)
  return (
    <section aria-label={words.logger}>
      <p className="nums mb-1 text-muted">{words.of(loggers.length, total)}</p>
      <TableBox label={words.logger}>
        <table className="grid-table">
          <thead>
            <tr>
              <th scope="col">{words.logger}</th>
              <th scope="col">{words.level}</th>
              {detailed && <th scope="col">{words.effective}</th>}
              {detailed && <th scope="col">{words.program}</th>}
              {detailed && <th scope="col">{words.handlers}</th>}
            </tr>
          </thead>
          <tbody>
            {loggers.map((each) => (
              <tr key={each.logger}>
                <td className="mono">{each.logger || runtime.rootLogger}</td>
                <td className="mono">{each.level}</td>
                {detailed && <td className="mono text-muted">{each.effective}</td>}
                {detailed && <td className="mono text-muted">{each.program}</td>}
                {detailed && <td className="mono text-muted">{each.handlers.join(', ') || strings.none}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
    </section>
  )
}

function Files({ answer }: { answer: unknown }) {
  const files = filesIn(answer)
  if (files.length === 0) return <Empty title={words.noFiles} />
  return (
    <TableBox label={runtime.actions.files}>
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{words.file}</th>
            <th scope="col" className="text-right">
              {words.size}
            </th>
          </tr>
        </thead>
        <tbody>
          {files.map((each) => (
            <tr key={each.name}>
              <td className="mono">{each.name}</td>
              <td className="text-right">{each.size}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}
