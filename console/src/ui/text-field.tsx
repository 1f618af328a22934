import type { ReactNode } from 'react'
import { Field, inputClass } from './field'

type TextFieldProps = {
  label: string
  value: string
  onChange: (value: string) => void
  hint?: ReactNode
  error?: string | undefined
  mono?: boolean
  type?: 'text' | 'password' | 'email' | 'datetime-local'
  autoComplete?: string
  autoFocus?: boolean
}

/** The plain case of a field: one line of text. */
export function TextField(props: TextFieldProps) {
  const { label, value, onChange, hint, error, mono, type = 'text', autoComplete = 'off', autoFocus } = props
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => (
        <input
          {...wiring}
          type={type}
          value={value}
          autoComplete={autoComplete}
          autoCapitalize="none"
          spellCheck={false}
          // biome-ignore lint/a11y/noAutofocus: where it is the only purpose of a page
          autoFocus={autoFocus}
          onChange={(event) => onChange(event.target.value)}
          className={`${inputClass} ${mono ? 'mono' : ''}`}
        />
      )}
    </Field>
  )
}
