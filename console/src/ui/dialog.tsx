import { Dialog as Base } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import { type ReactNode, useRef } from 'react'
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

/** Stands last in the order of focus, so that a dialog opens with its first field focused. */
function CloseButton() {
  return (
    <Base.Close
      aria-label={strings.close}
      className="absolute right-3 top-3 grid size-7 place-items-center rounded-md text-muted hover:bg-hover hover:text-ink"
    >
      <X size={15} aria-hidden />
    </Base.Close>
  )
}

/** Escape closes and the focus returns to where it was. */
export function Dialog({ open, onOpenChange, title, about, children, wide }: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Popup
          className={`fixed left-1/2 top-[8vh] max-h-[84vh] w-[calc(100vw-24px)] -translate-x-1/2 overflow-y-auto rounded-xl border border-line bg-raised shadow-raised outline-none transition-[opacity,scale] duration-150 data-[ending-style]:scale-[.985] data-[starting-style]:scale-[.985] data-[ending-style]:opacity-0 data-[starting-style]:opacity-0 ${wide ? 'max-w-[680px]' : 'max-w-[480px]'}`}
        >
          <header className="px-5 pr-12 pt-4">
            <Base.Title className="text-[15px] font-semibold">{title}</Base.Title>
            {about && <Base.Description className="mt-0.5 text-muted">{about}</Base.Description>}
          </header>
          <div className="px-5 pb-5 pt-3">{children}</div>
          <CloseButton />
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}

/** A panel from the right edge, for what explains the page behind it: it is read, so none of its buttons takes the focus. */
export function Panel({ open, onOpenChange, title, about, children }: DialogProps) {
  const popup = useRef<HTMLDivElement>(null)
  return (
    <Base.Root open={open} onOpenChange={(next) => onOpenChange(next)}>
      <Base.Portal>
        <Base.Backdrop className={backdrop} />
        <Base.Popup
          ref={popup}
          initialFocus={popup}
          className="fixed inset-y-0 right-0 w-full max-w-[560px] overflow-y-auto border-l border-line bg-raised shadow-raised outline-none transition-[translate] duration-150 data-[ending-style]:translate-x-4 data-[starting-style]:translate-x-4"
        >
          <header className="sticky top-0 border-b border-line bg-raised px-5 py-3 pr-12">
            <Base.Title className="text-[15px] font-semibold">{title}</Base.Title>
            {about && <Base.Description className="text-muted">{about}</Base.Description>}
          </header>
          {children}
          <CloseButton />
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  )
}
