import { type ReactNode, useEffect, useRef, useState } from 'react'
import type { ApiProblem } from '@/api/problem'
import { strings } from '@/strings/common'
import { confirm as words } from '@/strings/steering'
import { Button } from './button'
import { Dialog } from './dialog'
import { Field, inputClass } from './field'
import { ProblemText } from './problem-text'

type Place = { handle: string; displayName: string; critical: boolean }

type TypedNameProps = {
  environment: Place
  value: string
  onChange: (value: string) => void
  error?: string | undefined
}

/** Critical environments ask for their handle; the others for nothing. */
export function TypedName({ environment, value, onChange, error }: TypedNameProps) {
  if (!environment.critical) return null
  return (
    <Field label={words.type(environment.handle)} error={error}>
      {(wiring) => (
        <input
          {...wiring}
          value={value}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
          className={`${inputClass} mono`}
        />
      )}
    </Field>
  )
}

/** Why an action in this environment must wait for its name, or undefined when it need not. */
export function unnamed(environment: Place, typed: string): string | undefined {
  return environment.critical && typed !== environment.handle ? words.mismatch(environment.handle) : undefined
}

type ConfirmDialogProps = {
  title: string
  about: ReactNode
  submit: string
  environment: Place
  look?: 'solid' | 'danger'
  pending: boolean
  problem: ApiProblem | undefined
  /** Why it cannot be sent yet, apart from the name. */
  blocked?: string | undefined
  onConfirm: (confirm: string | null) => void
  onClose: () => void
  children?: ReactNode
}

/** Says what will be touched, and sends it once the environment's handle is typed where it is critical. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { title, about, submit, environment, look = 'solid', pending, problem, onConfirm, onClose, children } = props
  const [typed, setTyped] = useState('')
  const blocked = props.blocked ?? unnamed(environment, typed)
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={title} about={about}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!blocked && !pending) onConfirm(environment.critical ? typed : null)
        }}
      >
        {children}
        <TypedName
          environment={environment}
          value={typed}
          onChange={setTyped}
          error={problem?.of('confirm')?.message}
        />
        <ProblemText problem={problem} except={['confirm']} />
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>{strings.cancel}</Button>
          <Button look={look} type="submit" aria-busy={pending} blocked={blocked}>
            {pending ? words.working : submit}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

type InlineConfirmProps = {
  question: string
  submit: string
  pending: boolean
  problem: ApiProblem | undefined
  onConfirm: () => void
  onClose: () => void
}

/** A question in its place, for what interrupts traffic. Takes the focus; Escape gives it back to where it was. */
export function InlineConfirm({ question, submit, pending, problem, onConfirm, onClose }: InlineConfirmProps) {
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
      {problem && (
        <div className="basis-full">
          <ProblemText problem={problem} except={[]} />
        </div>
      )}
    </fieldset>
  )
}
