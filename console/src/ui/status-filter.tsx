import { statusFilter as words } from '@/strings/common'
import type { StatusSearch } from '@/util/search'
import { Choose } from './choose'
import { FilterField } from './filter-field'

type StatusFilterProps = { search: StatusSearch; onChange: (next: StatusSearch) => void }

/** With what requests were answered; what is typed may be several of them. */
export function StatusFilter({ search: { status, calls }, onChange }: StatusFilterProps) {
  const take = (text: string | undefined) => {
    const told = (text ?? '').split(/[\s,]+/).filter(Boolean)
    onChange(told.length > 0 ? { status: told } : { status: undefined, calls: undefined })
  }
  return (
    <>
      <FilterField label={words.label} placeholder={words.hint} value={status?.join(', ') ?? ''} onChange={take} />
      {status && (
        <Choose
          label={words.of}
          value={calls ? 'calls' : 'requests'}
          onChange={(of) => onChange({ calls: of === 'calls' ? true : undefined })}
          choices={[['requests', words.requests] as const, ['calls', words.calls] as const]}
        />
      )}
    </>
  )
}
