import type { RefObject } from 'react'
import type { LogLineRowFragment } from '@/api/generated/telemetry'
import { logs as words } from '@/strings/logs'
import { Popup } from '@/ui/popup'
import { LOG_COLUMNS_MAX } from '@/util/search'
import { columnName, offered } from './columns'

type ColumnsMenuProps = {
  open: boolean
  onOpenChange: (open: boolean) => void
  anchor: RefObject<HTMLButtonElement | null>
  lines: readonly LogLineRowFragment[]
  chosen: readonly string[]
  onChange: (chosen: string[]) => void
}

/** Which attributes stand beside the messages; they come in the order in which they were chosen. */
export function ColumnsMenu({ lines, chosen, onChange, ...popup }: ColumnsMenuProps) {
  const isFull = chosen.length >= LOG_COLUMNS_MAX
  const toggle = (name: string) =>
    onChange(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name])
  return (
    <Popup
      {...popup}
      label={words.columnsOf}
      align="start"
      className="max-h-[60vh] w-[min(320px,calc(100vw-24px))] overflow-y-auto p-1.5"
    >
      <p className="px-2 py-1 text-[12px] text-muted">{isFull ? words.columnsFull : words.columnsHint}</p>
      {offered(lines, chosen).map((name) => {
        const isChosen = chosen.includes(name)
        return (
          <label
            key={name}
            className="flex min-h-8 cursor-pointer items-center gap-2.5 rounded-md px-2 hover:bg-hover has-disabled:cursor-not-allowed has-disabled:text-muted"
          >
            <input
              type="checkbox"
              checked={isChosen}
              disabled={isFull && !isChosen}
              onChange={() => toggle(name)}
              className="accent-solid"
            />
            <span className="min-w-0 break-words">{columnName(name)}</span>
          </label>
        )
      })}
    </Popup>
  )
}
