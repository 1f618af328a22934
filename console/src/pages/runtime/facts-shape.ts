/** A table of texts. */
export type Shape = { columns: string[]; rows: string[][] }

const isMembers = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const cell = (value: unknown) =>
  typeof value === 'string' ? value : value === undefined ? '' : (JSON.stringify(value) ?? '')

/** The parts that a fact holds as JSON, as a table; undefined where it is a plain text. */
export function shapeOf(value: string): Shape | undefined {
  if (!/^\s*[[{]/.test(value)) return undefined
  let read: unknown
  try {
    read = JSON.parse(value)
  } catch {
    return undefined
  }
  if (isMembers(read)) {
    const rows = Object.entries(read).map(([name, each]) => [name, cell(each)])
    return rows.length > 0 ? { columns: ['name', 'value'], rows } : undefined
  }
  if (!Array.isArray(read) || read.length === 0 || !read.every(isMembers)) return undefined
  const columns = [...new Set(read.flatMap((row) => Object.keys(row)))]
  return { columns, rows: read.map((row) => columns.map((column) => cell(row[column]))) }
}
