import { Field, Select } from '@/ui/field'
import { spanChoices, spanWords } from './figures'

type SpanSelectProps = {
  label: string
  value: number | null
  usual: readonly number[]
  onChange: (seconds: number | null) => void
  /** What stands for none at all. */
  none?: string
  /** How a span is said; its plain words unless told. */
  say?: (span: string, seconds: number) => string
  hint?: string
  error?: string | undefined
}

/** A choice of spans; one that somebody set by a script is among them. */
export function SpanSelect({ label, value, usual, onChange, none, say, hint, error }: SpanSelectProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(wiring) => (
        <Select
          {...wiring}
          value={value ?? ''}
          onChange={(event) => onChange(event.target.value === '' ? null : Number(event.target.value))}
        >
          {none !== undefined && <option value="">{none}</option>}
          {spanChoices(usual, value).map((seconds) => (
            <option key={seconds} value={seconds}>
              {say ? say(spanWords(seconds), seconds) : spanWords(seconds)}
            </option>
          ))}
        </Select>
      )}
    </Field>
  )
}
