import { tryIt as words } from '@/strings/try-it'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { Card } from '@/ui/page'
import { forgetPast, type Past, usePast } from './history'
import { MethodMark } from './operation-list'

/** The requests of this tab: one that is taken again comes back with what was typed. */
export function PastCard({ onTake }: { onTake: (past: Past) => void }) {
  const past = usePast()
  return (
    <Card
      title={words.past}
      label={words.past}
      beside={<span className="text-[12px] text-muted">{words.pastNote}</span>}
      actions={
        past.length > 0 && (
          <Button small look="quiet" onClick={forgetPast}>
            {words.forget}
          </Button>
        )
      }
    >
      {past.length === 0 ? (
        <p className="px-3.5 py-3 text-muted">{words.nothingPast}</p>
      ) : (
        <ul className="max-h-72 overflow-y-auto p-1">
          {past.map((one) => (
            <li key={one.id}>
              <button
                type="button"
                aria-label={words.again(`${one.draft.method} ${one.target}`)}
                onClick={() => onTake(one)}
                className="flex w-full flex-wrap items-baseline gap-x-2 rounded-md px-2 py-1 text-left hover:bg-hover"
              >
                <MethodMark method={one.draft.method} />
                <code className="min-w-0 flex-1 break-all">{one.target}</code>
                <span className="nums text-muted">
                  {one.answer ? `${one.answer.status} · ${one.answer.wholeMs.toLocaleString('en')} ms` : one.failed}
                </span>
                <span className="text-muted">{one.runtime.name}</span>
                <Age at={new Date(one.at).toISOString()} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
