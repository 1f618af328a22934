import { Search } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useId, useState } from 'react'

export type Choice = { key: string; label: string; hint?: ReactNode; icon?: ReactNode; pick: () => void }
export type ChoiceGroup = { title: string; choices: Choice[] }

type PickerProps = {
  label: string
  placeholder: string
  query: string
  onQuery: (query: string) => void
  groups: ChoiceGroup[]
  /** What to say when there is nothing to choose. */
  empty: ReactNode
}

/** A text box with a list below it: arrows move, Enter picks. The palette and the scope switcher are both one of these. */
export function Picker({ label, placeholder, query, onQuery, groups, empty }: PickerProps) {
  const id = useId()
  const [active, setActive] = useState(0)
  const filled = groups.filter((group) => group.choices.length > 0)
  const choices = filled.flatMap((group) => group.choices)
  const current = Math.min(active, choices.length - 1)

  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0 && choices.length > 0) {
      event.preventDefault()
      const moved = (current + step + choices.length) % choices.length
      setActive(moved)
      document.getElementById(`${id}-${moved}`)?.scrollIntoView({ block: 'nearest' })
    } else if (event.key === 'Enter') {
      event.preventDefault()
      choices[current]?.pick()
    }
  }

  return (
    <div className="flex min-h-0 flex-col">
      <div className="flex items-center gap-2 border-b border-line px-3">
        <Search size={14} className="shrink-0 text-faint" aria-hidden />
        <input
          role="combobox"
          aria-label={label}
          aria-expanded={choices.length > 0}
          aria-controls={`${id}-list`}
          aria-activedescendant={choices.length > 0 ? `${id}-${current}` : undefined}
          aria-autocomplete="list"
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder}
          value={query}
          onChange={(event) => {
            onQuery(event.target.value)
            setActive(0)
          }}
          onKeyDown={onKeyDown}
          className="h-10 min-w-0 flex-1 bg-transparent outline-none"
        />
      </div>
      <div
        role="listbox"
        id={`${id}-list`}
        aria-label={label}
        className="max-h-[min(380px,60vh)] overflow-y-auto p-1.5"
      >
        {filled.map((group) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of options, not of form fields
          <div key={group.title} role="group" aria-label={group.title}>
            <div className="px-2 pb-1 pt-2 text-[11.5px] font-medium text-faint" aria-hidden>
              {group.title}
            </div>
            {group.choices.map((choice) => {
              const index = choices.indexOf(choice)
              return (
                // biome-ignore lint/a11y/useFocusableInteractive lint/a11y/useKeyWithClickEvents: the text box keeps the focus and has the keys
                <div
                  key={choice.key}
                  id={`${id}-${index}`}
                  role="option"
                  aria-selected={index === current}
                  onPointerMove={() => setActive(index)}
                  onClick={choice.pick}
                  className="flex h-8 items-center gap-2.5 rounded-md px-2 aria-selected:bg-hover"
                >
                  <span className="text-faint">{choice.icon}</span>
                  <span className="min-w-0 flex-1 truncate">{choice.label}</span>
                  {choice.hint && <span className="shrink-0 truncate text-[12px] text-faint">{choice.hint}</span>}
                </div>
              )
            })}
          </div>
        ))}
      </div>
      {choices.length === 0 && <div className="px-4 pb-4 text-muted">{empty}</div>}
    </div>
  )
}
