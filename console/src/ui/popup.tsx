import { Popover } from '@base-ui/react/popover'
import type { ReactNode, RefObject } from 'react'

type PopupProps = {
  open: boolean
  onOpenChange: (open: boolean) => void
  /** The button that it hangs on: it is drawn long before this is loaded, so it is no part of the popover. */
  anchor: RefObject<HTMLElement | null>
  label: string
  align: 'start' | 'end'
  className: string
  children: ReactNode
}

/** What hangs on a button; Escape and a press elsewhere close it, and the focus returns to the button. */
export function Popup({ open, onOpenChange, anchor, label, align, className, children }: PopupProps) {
  return (
    <Popover.Root
      open={open}
      onOpenChange={(next, { reason, event }) => {
        // A press on the button closes it by the button's own click: closed here first, that click would open it again.
        const ofButton = reason === 'outside-press' && event.target instanceof Node
        if (!(ofButton && anchor.current?.contains(event.target))) onOpenChange(next)
      }}
    >
      <Popover.Portal>
        <Popover.Positioner anchor={anchor} sideOffset={6} align={align} className="z-40">
          <Popover.Popup
            aria-label={label}
            finalFocus={anchor}
            className={`rounded-lg border border-line bg-raised shadow-raised outline-none ${className}`}
          >
            {children}
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  )
}
