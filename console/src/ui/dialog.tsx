import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { strings } from '@/strings/common'

type DialogProps = {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  about?: ReactNode
  children: ReactNode
  wide?: boolean
}

const backdrop =
  'fixed inset-0 bg-black/35 transition-opacity duration-150 data-[ending-style]:opacity-0 data-[starting-style]:opacity-0'

/** Escape closes and the focus returns to where it was. */
export function Dialog({ open, onOpenChange, title, about, children, wide }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Popup
          className={`fixed left-1/2 top-[8vh] max-h-[84vh] w-[calc(100vw-24px)] -translate-x-1/2 overflow-y-auto rounded-xl border border-line bg-raised shadow-raised outline-none transition-[opacity,scale] duration-150 data-[ending-style]:scale-[.985] data-[starting-style]:scale-[.985] data-[ending-style]:opacity-0 data-[starting-style]:opacity-0 ${wide ? 'max-w-[680px]' : 'max-w-[480px]'}`}
        >
          <header className="flex items-start gap-3 px-5 pt-4">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-[15px] font-semibold">{title}</Base.Title>
              {about && <Base.Description className="mt-0.5 text-muted">{about}</Base.Description>}
            </div>
            <Base.Close
              aria-label={strings.close}
              className="-mr-2 -mt-1 grid size-7 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink"
            >
              <X size={15} aria-hidden />
            </Base.Close>
          </header>
          <div className="px-5 pb-5 pt-3">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

/** A panel from the right edge, for lists that explain the page behind it. */
export function Panel({ open, onOpenChange, title, about, children }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Popup className="fixed inset-y-0 right-0 w-full max-w-[560px] overflow-y-auto border-l border-line bg-raised shadow-raised outline-none transition-[translate] duration-150 data-[ending-style]:translate-x-4 data-[starting-style]:translate-x-4">
          <header className="sticky top-0 flex items-start gap-3 border-b border-line bg-raised px-5 py-3">
            <div className="min-w-0 flex-1">
              <Base.Title className="text-[15px] font-semibold">{title}</Base.Title>
              {about && <Base.Description className="text-muted">{about}</Base.Description>}
            </div>
            <Base.Close
              aria-label={strings.close}
              className="-mr-2 grid size-7 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink"
            >
              <X size={15} aria-hidden />
            </Base.Close>
          </header>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}
