import { runtime as words } from '@/strings/runtimes'
import { TableBox } from '@/ui/page'
import { shapeOf } from './facts-shape'

/** What an artifact reports of itself: parameters and parts as a table, everything else as it is. */
export function FactValue({ name, value }: { name: string; value: string }) {
  const shape = shapeOf(value)
  if (!shape) return <span className="mono [overflow-wrap:anywhere]">{value}</span>
  return (
    <TableBox label={name}>
      <table className="grid-table">
        <thead>
          <tr>
            {shape.columns.map((column) => (
              <th key={column} scope="col">
                {titleOf(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shape.rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity but their place
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={shape.columns[column]} className="mono whitespace-normal! [overflow-wrap:anywhere]">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

const titleOf = (column: string) =>
  column in words.parameterColumns ? words.parameterColumns[column as keyof typeof words.parameterColumns] : column
