import { Select } from './field'

type ChooseProps<Value extends string> = {
  label: string
  value: Value | undefined
  onChange: (value: Value | undefined) => void
  choices: readonly (readonly [Value, string])[]
  /** What stands for "not chosen"; without it something is always chosen. */
  all?: string
  className?: string
}

/** A filter above a list. */
export function Choose<Value extends string>(props: ChooseProps<Value>) {
  const { label, value, onChange, choices, all, className = 'w-auto max-w-full' } = props
  return (
    <Select
      aria-label={label}
      value={value ?? ''}
      onChange={(event) => onChange((event.target.value || undefined) as Value | undefined)}
      className={className}
    >
      {all !== undefined && <option value="">{all}</option>}
      {/* What a link names and the list does not (yet) hold is shown all the same. */}
      {value && !choices.some(([each]) => each === value) && <option value={value}>{value}</option>}
      {choices.map(([each, name]) => (
        <option key={each} value={each}>
          {name}
        </option>
      ))}
    </Select>
  )
}
