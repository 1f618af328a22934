import { Search } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useEffectEvent, useId, useState } from 'react'
import { strings } from '@/strings/common'
import { type Choice, type ChoiceGroup, meant, meantUnseen, shownGroups } from './picking'

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
  /** The key of the choice that an arrow or the pointer marked; a choice that is gone leaves no mark behind. */
  const [moved, setMoved] = useState<string>()
  const shown = shownGroups(groups, query)
  const choices = shown.flatMap((group) => group.choices)
  const searching = groups.some((group) => group.stale)
  const usual = meant(groups, query)
  const current = choices.findIndex((choice) => choice.key === (moved ?? usual?.key))
  const [waits, wait, rest] = useWaitingPick(searching, () => meantUnseen(shown, query))

  const mark = (choice: Choice) => {
    rest()
    setMoved(choice.key)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0 && choices.length > 0) {
      event.preventDefault()
      const next = current < 0 ? (step > 0 ? 0 : choices.length - 1) : current + step
      const index = (next + choices.length) % choices.length
      const choice = choices[index]
      if (choice) mark(choice)
      document.getElementById(`${id}-${index}`)?.scrollIntoView({ block: 'nearest' })
    } else if (event.key === 'Enter' && !event.nativeEvent.isComposing) {
      event.preventDefault()
      const choice = choices[current]
      if (choice) choice.pick()
      else if (searching && query.trim() !== '') wait()
      else setMoved(undefined)
    }
  }

  return (
    <div className="flex min-h-0 flex-col">
      <div className="flex items-center gap-2 border-b border-line px-3">
        <Search size={14} className={`shrink-0 text-faint ${waits ? 'breathe' : ''}`} aria-hidden />
        <input
          role="combobox"
          aria-label={label}
          aria-expanded={choices.length > 0}
          aria-controls={`${id}-list`}
          aria-activedescendant={current < 0 ? undefined : `${id}-${current}`}
          aria-autocomplete="list"
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder}
          value={query}
          onChange={(event) => {
            rest()
            setMoved(undefined)
            onQuery(event.target.value)
          }}
          onKeyDown={onKeyDown}
          className="h-10 min-w-0 flex-1 bg-transparent outline-none"
        />
      </div>
      <div
        role="listbox"
        id={`${id}-list`}
        aria-label={label}
        aria-busy={searching || undefined}
        className="max-h-[min(380px,60vh)] overflow-y-auto p-1.5"
      >
        {shown.map((group) => (
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
                  aria-disabled={choice.blocked ? true : undefined}
                  onPointerMove={() => mark(choice)}
                  onClick={choice.pick}
                  className="flex h-8 items-center gap-2.5 rounded-md px-2 aria-disabled:text-muted aria-selected:bg-hover"
                >
                  <span className="text-faint">{choice.icon}</span>
                  <span className="min-w-0 flex-1 truncate">{choice.label}</span>
                  {(choice.blocked ?? choice.hint) && (
                    <span className="max-w-[60%] shrink-0 truncate text-[12px] text-faint">
                      {choice.blocked ?? choice.hint}
                    </span>
                  )}
                </div>
              )
            })}
          </div>
        ))}
      </div>
      {choices.length === 0 && (
        <div className={`px-4 pb-4 text-muted ${searching ? 'late' : ''}`}>{searching ? strings.looking : empty}</div>
      )}
    </div>
  )
}

/** An Enter that comes before the list waits for it; to type on, or to mark a choice, takes it back. */
function useWaitingPick(searching: boolean, choice: () => Choice | undefined) {
  const [waits, setWaits] = useState(false)
  const arrive = useEffectEvent(() => {
    setWaits(false)
    choice()?.pick()
  })
  useEffect(() => {
    if (waits && !searching) arrive()
  }, [waits, searching])
  return [waits, () => setWaits(true), () => setWaits(false)] as const
}
