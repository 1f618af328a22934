import { Link } from '@tanstack/react-router'
import { useEffect, useEffectEvent, useState } from 'react'
import { bulk as words } from '@/strings/bulk'
import { Button, buttonClass } from '@/ui/button'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { type BulkAction, MOST, MOST_PLACES, NEEDED, placesOf, split } from './bulk'
import type { BulkRun } from './bulk-run'
import { putAway, useProgress } from './use-bulk'
import type { Selection } from './use-selection'

const BulkDialog = lazily(async () => (await import('./bulk-dialog')).BulkDialog)
const BulkPanel = lazily(async () => (await import('./bulk-panel')).BulkPanel)

type SelectionBarProps = { selection: Selection; run: BulkRun | undefined }

/** What can be done with the runtimes that are selected, and how far the last thing that was done to many has come. */
export function SelectionBar({ selection, run }: SelectionBarProps) {
  const [asking, setAsking] = useState<BulkAction>()
  const [watching, setWatching] = useState(false)
  const count = selection.rows.size
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.key !== 'Escape' || count === 0 || event.defaultPrevented) return
    if (!document.querySelector('[role=dialog], [role=alertdialog]')) selection.clear()
  })
  useEffect(() => {
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
  return (
    <>
      {/* Room for the bar, so that it hides nothing at the end of the page. */}
      <div className="h-14" />
      <div className="pointer-events-none fixed inset-x-3 bottom-3 z-20 flex flex-col items-center gap-2">
        {run && <RunMark run={run} onShow={() => setWatching(true)} />}
        {count > 0 && <Choices selection={selection} onAsk={setAsking} />}
      </div>
      {asking && count > 0 && (
        <BulkDialog
          action={asking}
          rows={[...selection.rows.values()]}
          onClose={(begun) => {
            setAsking(undefined)
            if (!begun) return
            selection.clear()
            setWatching(true)
          }}
        />
      )}
      {run && watching && <BulkPanel run={run} onClose={() => setWatching(false)} />}
    </>
  )
}

const box =
  'pointer-events-auto flex max-w-full flex-wrap items-center gap-2 rounded-lg border border-edge bg-raised px-3 py-2 shadow-raised'

function RunMark({ run, onShow }: { run: BulkRun; onShow: () => void }) {
  const { title, lines, ended, bad, over } = useProgress(run)
  return (
    <section aria-label={title} className={box}>
      <span className={bad > 0 ? 'text-bad' : ''}>
        {words.progress.under(title, words.progress.counts(ended, lines.length, bad))}
      </span>
      <Button small onClick={onShow}>
        {words.progress.show}
      </Button>
      {over && (
        <Button small look="quiet" onClick={putAway}>
          {words.progress.dismiss}
        </Button>
      )}
    </section>
  )
}

function Choices({ selection, onAsk }: { selection: Selection; onAsk: (action: BulkAction) => void }) {
  const mayNot = useBlocked()
  const rows = [...selection.rows.values()]
  const places = placesOf(rows)
  const only = places.length === 1 ? places[0]?.place : undefined
  const blocked = (action: BulkAction): string | undefined => {
    const nowhere = mayNot(NEEDED[action])
    if (nowhere) return nowhere
    if (rows.length > MOST) return words.tooMany(MOST)
    if (action === 'level' && places.length > MOST_PLACES) return words.tooManyPlaces(MOST_PLACES)
    const { able, leftOut } = split(action, rows, () => undefined)
    return able.length === 0 ? leftOut[0]?.[0] : undefined
  }
  return (
    <section aria-label={words.label} className={box}>
      <span role="status" className="nums font-medium">
        {words.selected(rows.length)}
      </span>
      <Button small blocked={blocked('restart')} onClick={() => onAsk('restart')}>
        {words.restart}
      </Button>
      <Button small blocked={blocked('level')} onClick={() => onAsk('level')}>
        {words.level}
      </Button>
      {only ? (
        <Link
          {...to.steering(only.project, only.integration, { environment: only.environment })}
          className={buttonClass('plain', true)}
        >
          {words.steer}
        </Link>
      ) : (
        <Button small blocked={words.severalPlaces}>
          {words.steer}
        </Button>
      )}
      <Button small blocked={blocked('remove')} onClick={() => onAsk('remove')}>
        {words.remove}
      </Button>
      <Button small look="quiet" aria-label={words.clearLabel} onClick={selection.clear}>
        {words.clear}
      </Button>
    </section>
  )
}
