import { useSuspenseQuery } from '@tanstack/react-query'
import { viewerQuery } from '@/api/queries'
import { shell } from '@/strings/shell'
import { Dialog } from '@/ui/dialog'
import { everyEntry } from './entries'
import { useScope } from './scope'

const { shortcuts: words } = shell

/** The map of the keyboard; the pages are those of the present scope. */
export function Sheet({ onClose }: { onClose: () => void }) {
  const scope = useScope()
  const { permissions } = useSuspenseQuery(viewerQuery).data.viewer
  const pages = everyEntry(scope, permissions).filter(({ blocked }) => !blocked)
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={words.title} wide>
      <div className="grid gap-x-8 gap-y-4 sm:grid-cols-2">
        <section aria-label={words.everywhere}>
          <h3 className="mb-1.5 font-medium">{words.everywhere}</h3>
          <Keys rows={words.rows} />
        </section>
        <section aria-label={words.go}>
          <h3 className="mb-1.5 font-medium">{words.go}</h3>
          <Keys rows={pages.map(({ letter, name, title }) => [words.chord(letter), title ?? name])} />
          <p className="mt-2 text-[12px] text-muted">{words.goAbout}</p>
        </section>
      </div>
    </Dialog>
  )
}

function Keys({ rows }: { rows: readonly (readonly [string, string])[] }) {
  return (
    <dl className="grid grid-cols-[max-content_1fr] gap-x-6 gap-y-1.5">
      {rows.map(([keys, meaning]) => (
        <div key={keys} className="contents">
          <dt>
            <kbd className="mono">{keys}</kbd>
          </dt>
          <dd className="text-muted">{meaning}</dd>
        </div>
      ))}
    </dl>
  )
}
