import { useEffect, useState } from 'react'
import { Said } from './said'

const ID = 'tip'

type Tip = { text: string; left: number; top: number; above: boolean }

/**
 * One tip for the whole page instead of one component per cell: shows `data-tip` of what is
 * pointed at or focused; Escape hides it.
 */
export function TipLayer() {
  const [tip, setTip] = useState<Tip>()
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let described: Element | undefined
    const hide = () => {
      clearTimeout(timer)
      described?.removeAttribute('aria-describedby')
      described = undefined
      setTip(undefined)
    }
    const show = (event: Event, waitMs: number) => {
      const owner = event.target instanceof Element ? event.target.closest('[data-tip]') : null
      hide()
      const text = owner?.getAttribute('data-tip')
      if (!owner || !text) return
      timer = setTimeout(() => {
        setTip(place(owner, text))
        // Why a button rests is said as well as shown; a name is not said twice.
        if (owner.hasAttribute('aria-describedby') || owner.getAttribute('aria-label') === text) return
        owner.setAttribute('aria-describedby', ID)
        described = owner
      }, waitMs)
    }
    const onPointer = (event: Event) => show(event, 350)
    const onFocus = (event: Event) => {
      if (event.target instanceof Element && event.target.matches(':focus-visible')) show(event, 0)
    }
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && hide()
    const stop = new AbortController()
    const { signal } = stop
    document.addEventListener('pointerover', onPointer, { signal })
    document.addEventListener('pointerdown', hide, { signal })
    document.addEventListener('focusin', onFocus, { signal })
    document.addEventListener('focusout', hide, { signal })
    document.addEventListener('scroll', hide, { signal, capture: true })
    document.addEventListener('keydown', onKey, { signal })
    return () => {
      stop.abort()
      hide()
    }
  }, [])
  if (!tip) return null
  return (
    <div
      role="tooltip"
      id={ID}
      className="pointer-events-none fixed z-50 max-w-[min(26rem,calc(100vw-16px))] rounded-md bg-solid px-2 py-1 text-[12px] text-on-solid shadow-raised"
      style={{ left: tip.left, top: tip.top, translate: tip.above ? '0 -100%' : undefined }}
    >
      <Said text={tip.text} />
    </div>
  )
}

function place(owner: Element, text: string): Tip {
  const box = owner.getBoundingClientRect()
  const width = Math.min(420, text.length * 6.6 + 16)
  const above = box.bottom + 60 > window.innerHeight
  const left = Math.max(8, Math.min(box.left, window.innerWidth - width - 8))
  return { text, left, top: above ? box.top - 6 : box.bottom + 6, above }
}
