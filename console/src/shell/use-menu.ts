import { type RefObject, useRef, useState } from 'react'

/** The menus of the header, loaded when they are about to be opened: until then their buttons are all that is needed. */
export const loadMenus = () => import('./menus')

const soon = () => void loadMenus().catch(() => undefined)

export type MenuProps = {
  open: boolean
  onOpenChange: (open: boolean) => void
  anchor: RefObject<HTMLButtonElement | null>
}

/** A button and the menu that it opens; who points at the button or reaches it by Tab has the menu loaded. */
export function useMenu() {
  const anchor = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  const [asked, setAsked] = useState(false)
  if (open && !asked) setAsked(true)
  const menu: MenuProps = { open, onOpenChange: setOpen, anchor }
  const button = {
    ref: anchor,
    type: 'button',
    'aria-haspopup': 'dialog',
    'aria-expanded': open,
    onClick: () => setOpen(!open),
    onPointerEnter: soon,
    onFocus: soon,
  } as const
  // Once asked for it stays, so that it can close as it opened.
  return { button, menu, asked }
}
