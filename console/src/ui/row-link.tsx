import { useRouter } from '@tanstack/react-router'
import type { AnchorHTMLAttributes, FocusEvent, MouseEvent, PointerEvent, TouchEvent } from 'react'
import { useEffect, useMemo } from 'react'
import type { to } from '@/util/paths'

/** Pointed at for so long, a link's page is loaded before it is asked for. */
const INTENT_MS = 50

type Target = ReturnType<typeof to.runtime | typeof to.project | typeof to.integration>
type RowLinkProps = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> & { link: Target }

const targets = new WeakMap<Element, Target>()

/** The address of a link without a search, as the router writes it. */
export function addressOf({ to: path, params }: Target): string {
  const known: Record<string, string> = params
  return path.replace(/\$(\w+)/g, (_, name: string) => encodeURIComponent(known[name] ?? ''))
}

/**
 * A link of a long list. It knows nothing of the router and so costs no more than its text; the table around it takes it
 * there: `useRowLinks`.
 */
export function RowLink({ link, children, ...rest }: RowLinkProps) {
  return (
    <a {...rest} href={addressOf(link)} ref={(element) => void (element && targets.set(element, link))}>
      {children}
    </a>
  )
}

const targetOf = ({ target }: { target: EventTarget }): Target | undefined => {
  const link = target instanceof Element ? target.closest('a') : null
  return link ? targets.get(link) : undefined
}

/** What a table does for all of its `RowLink`s: follows them, and loads what they lead to as soon as one means to. */
export function useRowLinks() {
  const router = useRouter()
  const links = useMemo(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const preload = (link: Target) => void router.preloadRoute(link).catch(() => undefined)
    const intend = (event: PointerEvent | FocusEvent) => {
      clearTimeout(timer)
      const link = targetOf(event)
      if (link) timer = setTimeout(() => preload(link), INTENT_MS)
    }
    return {
      stop: () => clearTimeout(timer),
      onPointerOver: intend,
      onFocus: intend,
      onTouchStart: (event: TouchEvent) => {
        const link = targetOf(event)
        if (link) preload(link)
      },
      onClick: (event: MouseEvent) => {
        const link = targetOf(event)
        const isPlain = event.button === 0 && !(event.metaKey || event.altKey || event.ctrlKey || event.shiftKey)
        if (!link || !isPlain || event.defaultPrevented) return
        event.preventDefault()
        void router.navigate(link)
      },
    }
  }, [router])
  useEffect(() => links.stop, [links])
  return links
}
