import { Fragment } from 'react'
import { splitCode } from '@/util/code-spans'

/** A sentence of the control plane: what stands in backticks is code. React escapes every part. */
export function Said({ text }: { text: string | null | undefined }) {
  if (!text) return null
  return splitCode(text).map((part, index) => {
    // The parts of a sentence have no identity but their place.
    const key = `${index}`
    if (!part.code) return <Fragment key={key}>{part.text}</Fragment>
    return (
      <code key={key} className="rounded-[3px] bg-current/8 px-[3px] py-px [overflow-wrap:anywhere]">
        {part.text}
      </code>
    )
  })
}
