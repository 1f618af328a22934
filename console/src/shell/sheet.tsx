import { shell } from '@/strings/shell'
import { Dialog } from '@/ui/dialog'

/** The map of the keyboard. */
export function Sheet({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={shell.shortcuts.title}>
      <dl className="grid grid-cols-[max-content_1fr] gap-x-6 gap-y-1.5">
        {shell.shortcuts.rows.map(([keys, meaning]) => (
          <div key={keys} className="contents">
            <dt>
              <kbd className="mono">{keys}</kbd>
            </dt>
            <dd className="text-muted">{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
