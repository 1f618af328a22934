import { audit as words } from '@/strings/audit'
import type { FieldChange } from '@/util/diff'
import { TableBox } from './page'

/** Fields with their two sides; a minus and a plus say which is which, not colour alone. */
export function DiffTable({ label, changes }: { label: string; changes: FieldChange[] }) {
  if (changes.length === 0) return <p className="px-3.5 py-3 text-muted">{words.noChange}</p>
  return (
    <TableBox label={label}>
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{words.field}</th>
            <th scope="col">{words.before}</th>
            <th scope="col" className="w-full">
              {words.after}
            </th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ field, before, after }) => (
            <tr key={field}>
              <td>
                <code>{field || '–'}</code>
              </td>
              <Side sign="−" value={before} tone="text-bad" />
              <Side sign="+" value={after} tone="text-ok" />
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

function Side({ sign, value, tone }: { sign: string; value: string | undefined; tone: string }) {
  if (value === undefined) return <td className="text-faint">{words.absent}</td>
  return (
    <td>
      <code className={`whitespace-pre-wrap [overflow-wrap:anywhere] ${tone}`}>
        <span aria-hidden>{sign} </span>
        {value}
      </code>
    </td>
  )
}
