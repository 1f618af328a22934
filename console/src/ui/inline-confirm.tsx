import { type ReactNode, useEffect, useRef } from 'react'
import type { ApiProblem } from '@/api/problem'
import { strings } from '@/strings/common'
import { Button } from './button'
import { ProblemText } from './problem-text'

type InlineConfirmProps = {
  /** What stands beside the buttons. */
  beside?: ReactNode
  question: string
  submit: string
  pending: boolean
  problem: ApiProblem | undefined
  onConfirm: () => void
  onClose: () => void
}

/** A question in its place, for what interrupts traffic. Takes the focus; Escape gives it back to where it was. */
export function InlineConfirm({ beside, question, submit, pending, problem, onConfirm, onClose }: InlineConfirmProps) {
  const box = useRef<HTMLFieldSetElement>(null)
  const cameFrom = useRef<Element>(null)
  useEffect(() => {
    cameFrom.current ??= document.activeElement
    const before = cameFrom.current
    box.current?.querySelector('button')?.focus()
    return () => {
      // Where the focus went on elsewhere it stays.
      if (before instanceof HTMLElement && before.isConnected && document.activeElement === document.body)
        before.focus()
    }
  }, [])
  return (
    <fieldset
      ref={box}
      aria-label={question}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        onClose()
      }}
      className="mt-1.5 flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-2.5 py-1.5"
    >
      <p className="min-w-0 flex-1 basis-64">{question}</p>
      <Button small look="danger" onClick={onConfirm} aria-busy={pending}>
        {submit}
      </Button>
      <Button small onClick={onClose}>
        {strings.cancel}
      </Button>
      {beside}
      {problem && (
        <div className="basis-full">
          <ProblemText problem={problem} except={[]} />
        </div>
      )}
    </fieldset>
  )
}
