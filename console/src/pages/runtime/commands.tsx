import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { CommandsDocument, type CommandsQuery, RetryCommandDocument } from '@/api/generated/operations'
import { commandsQuery, PAGE_SIZE } from '@/api/queries'
import { graphql } from '@/api/request'
import { strings } from '@/strings/common'
import { kindNames, valueName, commands as words } from '@/strings/steering'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { CommandMark } from '@/ui/command'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { More } from '@/ui/more'
import { notify } from '@/ui/notices'
import { Card } from '@/ui/page'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { cli } from '@/util/cli'
import { useBlocked } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import { useUntil } from '@/util/ticker'
import { exactTime } from '@/util/time'
import { useAction } from '@/util/use-action'
import { readAnswer } from './answers'

type Row = CommandsQuery['commands']['nodes'][number]

/** What was asked of a runtime, newest first, and what became of it. */
export function Commands({ runtimeId }: { runtimeId: string }) {
  const filter = { runtime: runtimeId }
  const query = useInfiniteQuery(commandsQuery(filter))
  const rows = query.data?.pages.flatMap((page) => page.nodes) ?? []
  const total = query.data?.pages[0]?.totalCount ?? 0
  return (
    <div id="commands">
      <Card
        title={words.title}
        label={words.title}
        beside={<span className="nums text-muted">{query.data && total}</span>}
        actions={<CopyGraphql document={CommandsDocument} variables={{ filter, first: PAGE_SIZE, after: null }} />}
      >
        {query.isPending ? (
          <Skeleton label={words.what} rows={3} />
        ) : query.isError && rows.length === 0 ? (
          <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
        ) : rows.length === 0 ? (
          <Empty title={words.none}>{words.noneText}</Empty>
        ) : (
          <ol className="divide-y divide-line">
            {rows.map((command) => (
              <Entry key={command.id} command={command} />
            ))}
          </ol>
        )}
        <More
          shown={rows.length}
          total={total}
          onMore={() => void query.fetchNextPage()}
          loading={query.isFetchingNextPage}
          failed={query.isFetchNextPageError && strings.couldNotLoad(words.what)}
        />
      </Card>
    </div>
  )
}

function Entry({ command }: { command: Row }) {
  const { action, kind, name, value, state, reason, author, attempts, route, result } = command
  const client = useQueryClient()
  const blocked = useBlocked()('INTEGRATION_MGT_EDIT')
  const { run, pending, problem } = useAction(async () => {
    await graphql(RetryCommandDocument, { id: command.id })
    void client.invalidateQueries({ queryKey: ['commands'] })
    notify(words.retried)
  })
  const levels = action === 'SET_LOGGER_LEVEL' && value
  return (
    <li className="px-3.5 py-2">
      <div className="flex flex-wrap items-center gap-x-2.5 gap-y-0.5">
        <CommandMark state={state} />
        <span className="font-medium">{words.actions[action]}</span>
        {name && (
          <span>
            {kind && <span className="text-muted">{kindNames[kind][0]} </span>}
            <code>{name}</code>
          </span>
        )}
        {levels && <code>{valueName(value)}</code>}
        <span className="text-muted">
          {words.by(author)}, <Age at={command.queuedAt} ago />
        </span>
        {(state === 'FAILED' || state === 'EXPIRED') && command.retryable && (
          <>
            <CopyCli command={cli.retryCommand(command)} />
            <Button
              small
              aria-label={words.tryAgainLabel(words.actions[action], runtimeLabel(command.runtime))}
              blocked={blocked}
              aria-busy={pending}
              onClick={() => !pending && void run()}
            >
              {words.tryAgain}
            </Button>
          </>
        )}
      </div>
      <p className={state === 'FAILED' ? 'text-ink' : 'text-muted'}>
        <Said text={reason} />
      </p>
      <p className="nums flex flex-wrap gap-x-3 text-[12px] text-faint">
        {route && <span>{words.routes[route]}</span>}
        {attempts > 0 && <span>{words.attempts(attempts)}</span>}
        <Instant name={words.queuedAt} at={command.queuedAt} />
        <Instant name={words.deliveredAt} at={command.deliveredAt} />
        <Instant name={words.endedAt} at={command.endedAt} />
        {!command.endedAt && <Ahead name={words.nextAttempt} at={command.nextAttemptAt} />}
        {!command.endedAt && <Ahead name={words.deadline} at={command.deadline} />}
      </p>
      {result && <Result text={result} />}
      {problem && <ProblemText problem={problem} except={[]} />}
    </li>
  )
}

function Instant({ name, at }: { name: string; at: string | null }) {
  if (!at) return null
  return (
    <span>
      {name} <Age at={at} ago />
    </span>
  )
}

/** An instant that is still to come; once it has passed nothing is said of it. */
function Ahead({ name, at }: { name: string; at: string | null }) {
  const left = useUntil(at)
  return at && left ? (
    <span data-tip={exactTime(at)}>
      {name} {words.inSpan(left)}
    </span>
  ) : null
}

function Result({ text }: { text: string }) {
  return (
    <details className="text-[12px] text-muted">
      <summary className="w-fit">{words.result}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <pre tabIndex={0} className="max-h-72 overflow-auto rounded-md bg-sunken px-2.5 py-1.5 text-ink">
        <code>{pretty(text)}</code>
      </pre>
    </details>
  )
}

function pretty(text: string): string {
  const read = readAnswer(text)
  return read === undefined ? text : JSON.stringify(read, null, 2)
}
