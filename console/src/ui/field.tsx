import { type ComponentProps, type ReactNode, useId } from 'react'
import { Said } from './said'

const boxClass = 'h-8 rounded-md border border-edge bg-surface px-2.5 text-ink outline-offset-0 aria-invalid:border-bad'
export const inputClass = `${boxClass} w-full`

type FieldProps = {
  label: string
  /** Help that stays; the error takes its own line. */
  hint?: ReactNode
  error?: string | undefined
  children: (wiring: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean }) => ReactNode
}

/** A label, an input, its help and its error, wired for screen readers. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId()
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined
  return (
    <div className="mb-3.5">
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
      </label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': Boolean(error) })}
      {error && (
        <p id={`${id}-error`} className="mt-1 text-bad">
          <Said text={error} />
        </p>
      )}
      {hint && (
        <div id={`${id}-hint`} className="mt-1 text-[12px] text-muted">
          {hint}
        </div>
      )}
    </div>
  )
}

export function Select({ className = 'w-full', ...rest }: ComponentProps<'select'>) {
  return <select {...rest} className={`${boxClass} ${className}`} />
}
