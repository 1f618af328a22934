type SwitchProps = {
  label: string
  on: boolean
  /** What pressing it asks for. */
  tip: string
  blocked?: string | undefined
  /** Something is asked and not yet reported: the switch stays where it is until then. */
  busy?: boolean
  onPress: () => void
}

/** Shows what is reported, never what was merely asked for. */
export function Switch({ label, on, tip, blocked, busy, onPress }: SwitchProps) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      aria-label={label}
      aria-busy={busy || undefined}
      aria-disabled={blocked ? true : undefined}
      data-tip={blocked ?? tip}
      onClick={() => !blocked && onPress()}
      className={`relative h-[18px] w-8 shrink-0 rounded-full border transition-colors aria-disabled:cursor-not-allowed aria-disabled:opacity-55 ${on ? 'border-transparent bg-ok' : 'border-edge bg-sunken'}`}
    >
      <span
        aria-hidden
        className={`absolute top-1/2 size-3 -translate-y-1/2 rounded-full transition-[left] ${on ? 'left-[calc(100%-0.75rem-2px)] bg-surface' : 'left-[2px] bg-faint'} ${busy ? 'breathe' : ''}`}
      />
    </button>
  )
}
