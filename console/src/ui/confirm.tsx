import { type ReactNode, useState } from 'react'
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

const CALM: Place = { handle: '', displayName: '', critical: false }

type ConfirmDialogProps = {
  title: string
  about: ReactNode
  submit: string
  /** What must be typed where it is critical; nothing unless given. */
  environment?: Place
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
  const {
    title,
    about,
    submit,
    environment = CALM,
    look = 'solid',
    pending,
    problem,
    onConfirm,
    onClose,
    children,
  } = props
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
