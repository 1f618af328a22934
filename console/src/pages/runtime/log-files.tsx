import { ArrowLeft } from 'lucide-react'
import { useState } from 'react'
import { strings } from '@/strings/common'
import { runtime as runtimeWords } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CopyButton } from '@/ui/copy'
import { TableBox } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { Empty } from '@/ui/states'
import { filesIn, sourceIn } from './answers'
import { Question } from './question'

const words = runtimeWords.answer
/** The page stays quick: of more lines that match the last ones are shown, and the download has all. */
const LINES_SHOWN = 2_000

type LogFilesProps = {
  runtime: string
  /** The file that is read. */
  file: string | undefined
  /** Why none may be read, or undefined. */
  blocked: string | undefined
  onFile: (file: string | undefined) => void
}

/** The log files of a runtime, and the text of the one that is chosen. */
export function LogFiles({ runtime, file, blocked, onFile }: LogFilesProps) {
  if (file && !blocked) {
    return (
      <Question
        key={file}
        input={{ runtime, question: 'LOG_FILE', name: file }}
        beside={
          <Button onClick={() => onFile(undefined)}>
            <ArrowLeft size={13} aria-hidden />
            {words.allFiles}
          </Button>
        }
      >
        {(answer) => <FileText name={file} text={sourceIn(answer)} />}
      </Question>
    )
  }
  return (
    <Question input={{ runtime, question: 'LOG_FILES' }}>
      {(answer) => <Files files={filesIn(answer)} blocked={blocked} onFile={onFile} />}
    </Question>
  )
}

type FilesProps = { files: ReturnType<typeof filesIn>; blocked: string | undefined; onFile: (file: string) => void }

function Files({ files, blocked, onFile }: FilesProps) {
  if (files.length === 0) return <Empty title={words.noFiles} />
  return (
    <TableBox label={runtimeWords.actions.files}>
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{words.file}</th>
            <th scope="col" className="text-right">
              {words.size}
            </th>
            <th scope="col">
              <span className="sr-only">{words.read}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {files.map((each) => (
            <tr key={each.name}>
              <td className="mono">{each.name}</td>
              <td className="text-right">{each.size}</td>
              <td className="text-right">
                <Button
                  small
                  look="quiet"
                  aria-label={words.readOf(each.name)}
                  blocked={blocked}
                  onClick={() => onFile(each.name)}
                >
                  {words.read}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  const link = Object.assign(document.createElement('a'), { href: address, download: name })
  link.click()
  URL.revokeObjectURL(address)
}

/** A text by lines: the newest stand last, so the last ones are shown first when there are too many. */
export function FileText({ name, text }: { name: string; text: string }) {
  const [search, setSearch] = useState('')
  if (!text) return <Empty title={words.none} />
  const lines = text.split('\n')
  const wanted = search.toLowerCase()
  const matching = wanted ? lines.filter((line) => line.toLowerCase().includes(wanted)) : lines
  const shown = matching.slice(-LINES_SHOWN)
  return (
    <section aria-label={name} className="space-y-2">
      <div className="flex flex-wrap items-center gap-2">
        <SearchBox label={words.linesSearch} value={search} onSearch={setSearch} />
        <span role="status" className="nums text-muted">
          {words.lines(shown.length, lines.length)}
        </span>
        <span className="ml-auto flex gap-2">
          <CopyButton text={text} />
          <Button small onClick={() => save(name, text)}>
            {words.download}
          </Button>
        </span>
      </div>
      {shown.length === 0 ? (
        <Empty title={strings.noMatch(search)} />
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
        <pre tabIndex={0} className="max-h-[60vh] overflow-auto rounded-md border border-line bg-sunken px-3 py-2">
          <code className="text-[11.5px] leading-[1.6]">{shown.join('\n')}</code>
        </pre>
      )}
    </section>
  )
}
