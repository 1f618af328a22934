import { useState } from 'react'
import { tryIt as words } from '@/strings/try-it'
import { Card } from '@/ui/page'
import type { Operation } from './operations'

const TONES: Record<string, string> = {
  GET: 'text-ok',
  POST: 'text-link',
  PUT: 'text-warn',
  PATCH: 'text-warn',
  DELETE: 'text-bad',
}

export function MethodMark({ method }: { method: string }) {
  return <code className={`w-14 shrink-0 text-[11.5px] font-semibold ${TONES[method] ?? 'text-muted'}`}>{method}</code>
}

type OperationListProps = {
  operations: Operation[]
  chosen: string | undefined
  note: string | undefined
  onChoose: (key: string | undefined) => void
}

/** Everything that can be tried out, and a request of one's own. */
export function OperationList({ operations, chosen, note, onChoose }: OperationListProps) {
  const [search, setSearch] = useState('')
  const wanted = search.trim().toLowerCase()
  const found = operations.filter(({ key, summary, source }) =>
    `${key} ${summary} ${source}`.toLowerCase().includes(wanted),
  )
  return (
    <Card title={words.operations} label={words.operations}>
      <div className="border-b border-line p-2">
        <input
          type="search"
          aria-label={words.search}
          placeholder={words.search}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
          className="h-8 w-full rounded-md border border-edge bg-surface px-2.5"
        />
        {note && <p className="mt-2 text-[12px] text-muted">{note}</p>}
      </div>
      <ul className="max-h-[60vh] overflow-y-auto p-1">
        <Item isChosen={chosen === undefined} onChoose={() => onChoose(undefined)}>
          <span className="font-medium">{words.own}</span>
          <span className="block text-[12px] text-muted">{words.ownHint}</span>
        </Item>
        {found.map(({ key, method, path, summary, deprecated }) => (
          <Item key={key} isChosen={key === chosen} onChoose={() => onChoose(key)}>
            <span className="flex min-w-0 items-baseline gap-1">
              <MethodMark method={method} />
              <code className={`min-w-0 break-all ${deprecated ? 'line-through' : ''}`}>{path}</code>
            </span>
            {(summary || deprecated) && (
              <span className="block text-[12px] text-muted">
                {summary} {deprecated && <em>{words.deprecated}</em>}
              </span>
            )}
          </Item>
        ))}
        {found.length === 0 && wanted && <li className="px-2 py-1.5 text-muted">{words.noneFound}</li>}
      </ul>
    </Card>
  )
}

type ItemProps = { isChosen: boolean; onChoose: () => void; children: React.ReactNode }

function Item({ isChosen, onChoose, children }: ItemProps) {
  return (
    <li>
      <button
        type="button"
        aria-current={isChosen || undefined}
        onClick={onChoose}
        className="w-full rounded-md px-2 py-1.5 text-left hover:bg-hover aria-[current=true]:bg-fresh"
      >
        {children}
      </button>
    </li>
  )
}
