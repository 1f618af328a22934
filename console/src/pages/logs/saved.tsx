import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { Trash2 } from 'lucide-react'
import { type FormEvent, type RefObject, useState } from 'react'
import { ForgetKeptDocument, KeepLogQueryDocument } from '@/api/generated/telemetry'
import { graphql } from '@/api/request'
import { keptQuery } from '@/api/telemetry-queries'
import { strings } from '@/strings/common'
import { logs as words } from '@/strings/logs'
import { Button } from '@/ui/button'
import { CopyIconButton } from '@/ui/copy'
import { notify } from '@/ui/notices'
import { Popup } from '@/ui/popup'
import { ProblemText } from '@/ui/problem-text'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { TextField } from '@/ui/text-field'
import { to } from '@/util/paths'
import type { LogsSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { keptSearch, keptText } from './kept'

type SavedProps = {
  open: boolean
  onOpenChange: (open: boolean) => void
  anchor: RefObject<HTMLButtonElement | null>
  /** What is shown now, with its place. */
  search: LogsSearch
}

/** Queries with a name, each one's own; their links show the same to whoever may see it. */
export function SavedQueries({ search, ...popup }: SavedProps) {
  const close = () => popup.onOpenChange(false)
  const query = useQuery(keptQuery)
  return (
    <Popup {...popup} label={words.saved} align="end" className="w-[min(360px,calc(100vw-24px))]">
      <div className="max-h-[45vh] overflow-y-auto p-1.5">
        {query.isPending ? (
          <Skeleton label={words.savedWhat} rows={3} />
        ) : query.isError ? (
          <CouldNotLoad what={words.savedWhat} error={query.error} onRetry={() => query.refetch()} />
        ) : query.data.length === 0 ? (
          <p className="px-2 py-1.5 text-muted">{words.savedNone}</p>
        ) : (
          <ul aria-label={words.saved}>
            {query.data.map((each) => (
              <Kept key={each.id} kept={each} onOpen={close} />
            ))}
          </ul>
        )}
      </div>
      <SaveForm search={search} taken={query.data?.map(({ name }) => name) ?? []} />
    </Popup>
  )
}

type KeptProps = { kept: { id: string; name: string; value: string }; onOpen: () => void }

function Kept({ kept: { id, name, value }, onOpen }: KeptProps) {
  const router = useRouter()
  const client = useQueryClient()
  const link = to.logs(keptSearch(value, { parse: router.options.parseSearch }))
  const address = new URL(router.buildLocation(link).href, location.origin).href
  const { run, pending, problem } = useAction(async () => {
    await graphql(ForgetKeptDocument, { id })
    await client.invalidateQueries({ queryKey: keptQuery.queryKey })
    notify(words.savedGone(name))
  })
  return (
    <li className="rounded-md hover:bg-hover">
      <div className="flex items-center gap-1 pr-1">
        <Link {...link} onClick={onOpen} className="min-w-0 flex-1 truncate px-2 py-1.5 hover:text-ink">
          {name}
        </Link>
        <CopyIconButton text={address} label={words.savedLink(name)} />
        <button
          type="button"
          aria-label={words.savedRemove(name)}
          data-tip={words.savedRemove(name)}
          aria-busy={pending}
          onClick={() => !pending && void run()}
          className="grid size-5 shrink-0 place-items-center rounded text-faint hover:bg-hover hover:text-ink"
        >
          <Trash2 size={12} aria-hidden />
        </button>
      </div>
      <ProblemText problem={problem} except={[]} />
    </li>
  )
}

function SaveForm({ search, taken }: { search: LogsSearch; taken: string[] }) {
  const router = useRouter()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const { run, pending, problem } = useAction(async () => {
    const value = keptText(search, { stringify: router.options.stringifySearch })
    const { keep } = await graphql(KeepLogQueryDocument, { name, value })
    await client.invalidateQueries({ queryKey: keptQuery.queryKey })
    notify(strings.saved(keep.name))
    setName('')
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!pending) void run()
  }
  return (
    <form onSubmit={submit} noValidate className="border-t border-line px-3.5 pb-3 pt-2.5">
      <TextField
        label={words.savedName}
        hint={taken.includes(name.trim()) ? words.savedReplaces : words.savedHint}
        value={name}
        onChange={setName}
        error={problem?.of('name')?.message}
      />
      <ProblemText problem={problem} except={['name']} />
      <Button type="submit" look="solid" aria-busy={pending}>
        {strings.save}
      </Button>
    </form>
  )
}
