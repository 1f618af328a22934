import { type ReactNode, useState } from 'react'

type FilterFieldProps = {
  label: string
  value: string
  onChange: (value: string | undefined) => void
  placeholder?: string
  type?: 'text' | 'datetime-local'
}

/** Unit: letters. A longer hint makes its field longer. */
const SHORTEST = 16

/** A filter that is typed: it counts when it is left or Enter is pressed. */
export function FilterField({ label, value, onChange, placeholder, type = 'text' }: FilterFieldProps) {
  const [text, setText] = useState(value)
  const [known, setKnown] = useState(value)
  if (known !== value) {
    setKnown(value)
    setText(value)
  }
  const settle = () => text !== value && onChange(text.trim() || undefined)
  return (
    <label className="flex items-center gap-1.5 text-muted">
      {label}
      <input
        type={type}
        value={text}
        placeholder={placeholder}
        size={type === 'text' ? Math.max(SHORTEST, placeholder?.length ?? 0) : undefined}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onBlur={settle}
        onKeyDown={(event) => event.key === 'Enter' && settle()}
        className={`h-8 rounded-md border border-edge bg-surface px-2 text-ink ${type === 'text' ? 'mono max-w-full' : ''}`}
      />
    </label>
  )
}

/** Two ends of a time stay side by side where the line has room for both. */
export function FromTo({ children }: { children: ReactNode }) {
  return <span className="flex flex-wrap items-center gap-2">{children}</span>
}
