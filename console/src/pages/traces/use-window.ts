import { type RefObject, useEffect, useState } from 'react'

/** Rows that are drawn beyond each edge of what is seen. */
const BEYOND = 12

/** The first and the last row that need drawing. */
export function rowsSeen(top: number, height: number, rowHeight: number, count: number): [first: number, end: number] {
  const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND)
  return [Math.min(first, count), Math.min(count, Math.ceil((top + height) / rowHeight) + BEYOND)]
}

/** Which rows of a box that scrolls by itself are seen; all rows are equally high. */
export function useWindow(box: RefObject<HTMLElement | null>, rowHeight: number, count: number) {
  const [seen, setSeen] = useState({ top: 0, height: 1_200 })
  useEffect(() => {
    const element = box.current
    if (!element) return
    const look = () => setSeen({ top: element.scrollTop, height: element.clientHeight })
    look()
    element.addEventListener('scroll', look, { passive: true })
    const size = new ResizeObserver(look)
    size.observe(element)
    return () => {
      element.removeEventListener('scroll', look)
      size.disconnect()
    }
  }, [box])
  return rowsSeen(seen.top, seen.height, rowHeight, count)
}
