import { useState } from 'react'
import type { AskRuntimeInput } from '@/api/generated/operations'
import { strings } from '@/strings/common'
import { runtime } from '@/strings/runtimes'
import { CodeBlock } from '@/ui/copy'
import { Panel } from '@/ui/dialog'
import { TableBox } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { Empty } from '@/ui/states'
import { loggersIn, sourceIn } from './answers'
import type { RuntimeFacts } from './index'
import { LogFiles } from './log-files'
import { Question } from './question'
import { Registry } from './registry'
import { Users } from './users'

const words = runtime.answer

type AskProps = {
  title: string
  about: string
  input: AskRuntimeInput
  /** The runtime that is asked. */
  asked: RuntimeFacts
  /** Why its users may not be changed, or undefined. */
  usersBlocked: string | undefined
  /** The folder, resource or file that is looked at. */
  path: string | undefined
  /** Why its log files may be listed and not read, or undefined. */
  filesBlocked: string | undefined
  onPath: (path: string | undefined) => void
  onClose: () => void
}

/** A panel that asks a runtime something, and shows the answer as what it is. */
export function Ask(props: AskProps) {
  const { title, about, input, asked, path, filesBlocked, usersBlocked, onPath, onClose } = props
  return (
    <Panel open onOpenChange={(open) => !open && onClose()} title={title} about={about}>
      <div className="space-y-3 px-5 py-3">
        {input.question === 'LOGGERS' && <Loggers input={input} />}
        {input.question === 'LOG_FILES' && (
          <LogFiles runtime={input.runtime} file={path} blocked={filesBlocked} onFile={onPath} />
        )}
        {input.question === 'REGISTRY' && <Registry runtime={input.runtime} path={path} onPath={onPath} />}
        {input.question === 'USERS' && <Users runtime={asked} blocked={usersBlocked} />}
        {input.question === 'SOURCE' && (
          <Question input={input}>{(answer) => <Source source={sourceIn(answer)} name={input.name ?? ''} />}</Question>
        )}
      </div>
    </Panel>
  )
}

function Source({ source, name }: { source: string; name: string }) {
  return source ? <CodeBlock code={source} label={name} /> : <Empty title={words.none} />
}

function Loggers({ input }: { input: AskRuntimeInput }) {
  const [search, setSearch] = useState('')
  return (
    <Question
      input={{ ...input, name: search || null }}
      beside={<SearchBox label={runtime.actions.loggersSearch} value={search} onSearch={setSearch} />}
    >
      {(answer) => <LoggerTable answer={answer} />}
    </Question>
  )
}

function LoggerTable({ answer }: { answer: unknown }) {
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
