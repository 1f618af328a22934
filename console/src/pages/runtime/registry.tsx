import { ChevronRight, FileText as FileIcon, Folder } from 'lucide-react'
import { runtime as runtimeWords } from '@/strings/runtimes'
import { Facts } from '@/ui/page'
import { Empty } from '@/ui/states'
import { propertiesIn, type RegistryEntry, registryIn, sourceIn } from './answers'
import { FileText } from './log-files'
import { Question } from './question'

const words = runtimeWords.answer
const ROOT = 'registry'
/** A path that ends so is a folder's: a resource has the same sort of name. */
const FOLDER = '/'

type RegistryProps = { runtime: string; path: string | undefined; onPath: (path: string | undefined) => void }

/** The registry of a Micro Integrator, one folder or one resource at a time. */
export function Registry({ runtime, path, onPath }: RegistryProps) {
  const given = path ?? ROOT + FOLDER
  const isFolder = given.endsWith(FOLDER)
  const name = isFolder ? given.slice(0, -FOLDER.length) : given
  return (
    <>
      <Trail name={name} onPath={onPath} />
      {isFolder ? (
        <Question key={name} input={{ runtime, question: 'REGISTRY', name }}>
          {(answer) => <Held entries={registryIn(answer)} folder={name} onPath={onPath} />}
        </Question>
      ) : (
        <Question key={name} input={{ runtime, question: 'REGISTRY_FILE', name }}>
          {(answer) => <FileText name={name.slice(name.lastIndexOf('/') + 1)} text={sourceIn(answer)} />}
        </Question>
      )}
      {name !== ROOT && (
        <section aria-label={words.properties} className="rounded-md border border-line">
          <h3 className="px-3.5 pt-2">{words.properties}</h3>
          <div className="px-3.5 pb-2">
            <Question key={name} quiet input={{ runtime, question: 'REGISTRY_PROPERTIES', name }}>
              {(answer) => <Properties rows={propertiesIn(answer)} />}
            </Question>
          </div>
        </section>
      )}
    </>
  )
}

function Properties({ rows }: { rows: [string, string][] }) {
  if (rows.length === 0) return <p className="text-muted">{words.noProperties}</p>
  return (
    <div className="-mx-3.5">
      <Facts facts={rows.map(([key, value]) => [key, <code key={key}>{value}</code>])} />
    </div>
  )
}

/** The folders above, each a way back. */
function Trail({ name, onPath }: { name: string; onPath: (path: string) => void }) {
  const segments = name.split('/')
  return (
    <nav aria-label={words.registryPath} className="mono flex flex-wrap items-center gap-x-1">
      {segments.map((segment, depth) => {
        const path = segments.slice(0, depth + 1).join('/')
        return (
          <span key={path} className="inline-flex items-center gap-1">
            {depth > 0 && <ChevronRight size={12} className="text-faint" aria-hidden />}
            {depth < segments.length - 1 ? (
              <button type="button" className="link" onClick={() => onPath(path + FOLDER)}>
                {segment}
              </button>
            ) : (
              <span aria-current="location" className="font-medium">
                {segment}
              </span>
            )}
          </span>
        )
      })}
    </nav>
  )
}

type HeldProps = { entries: RegistryEntry[]; folder: string; onPath: (path: string) => void }

function Held({ entries, folder, onPath }: HeldProps) {
  if (entries.length === 0) return <Empty title={words.emptyFolder} />
  return (
    <ul aria-label={words.held(folder)} className="divide-y divide-line rounded-md border border-line">
      {entries.map(({ name, mediaType, isFolder }) => {
        const Icon = isFolder ? Folder : FileIcon
        return (
          <li key={name} className="flex items-center gap-2 px-3 py-1">
            <Icon size={13} className="shrink-0 text-faint" aria-hidden />
            <button
              type="button"
              className="mono link min-w-0 text-left [overflow-wrap:anywhere]"
              onClick={() => onPath(`${folder}/${name}${isFolder ? FOLDER : ''}`)}
            >
              {name}
            </button>
            <span className="ml-auto text-[12px] text-faint">{isFolder ? words.folder : mediaType}</span>
          </li>
        )
      })}
    </ul>
  )
}
