import { Search } from 'lucide-react'
import { useEffect, useState } from 'react'

/** Typing is answered at once in the box and, after a pause, in the address. */
const PAUSE_MS = 200

/** Unit: letters. What a longer one says needs more room. */
const SHORT = 20

type SearchBoxProps = { label: string; value: string; onSearch: (value: string) => void }

export function SearchBox({ label, value, onSearch }: SearchBoxProps) {
  const [text, setText] = useState(value)
  const [known, setKnown] = useState(value)
  if (known !== value) {
    setKnown(value)
    setText(value)
  }
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => onSearch(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text, value, onSearch])
  return (
    <div className="relative">
      <Search
        size={13}
        className="pointer-events-none absolute left-2.5 top-1/2 -translate-y-1/2 text-faint"
        aria-hidden
      />
      <input
        type="search"
        data-search
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className={`h-8 max-w-full rounded-md border border-edge bg-surface pl-7 pr-2 ${label.length > SHORT ? 'w-64' : 'w-52'}`}
      />
    </div>
  )
}
