export type FieldChange = { field: string; before: string | undefined; after: string | undefined }

/** The fields of two JSON objects that differ; a text that is no object is one field without a name. */
export function diffOf(before: string | null, after: string | null): FieldChange[] {
  const old = fieldsOf(before)
  const now = fieldsOf(after)
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .map((field) => ({ field, before: old[field], after: now[field] }))
    .filter((change) => change.before !== change.after)
}

function fieldsOf(json: string | null): Record<string, string> {
  if (json === null) return {}
  try {
    const parsed: unknown = JSON.parse(json)
    if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) return { '': written(parsed) }
    return Object.fromEntries(Object.entries(parsed).map(([field, value]) => [field, written(value)]))
  } catch {
    return { '': json }
  }
}

/** Text as it is, everything else as JSON. */
function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
