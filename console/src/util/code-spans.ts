export type Part = { code: boolean; text: string }

/** A sentence as plain and `code` parts, in order. A backtick without a partner and an empty pair stay as they are. */
export function splitCode(text: string): Part[] {
  const parts: Part[] = []
  let rest = 0
  for (const match of text.matchAll(/`([^`\n]+)`/g)) {
    if (match.index > rest) parts.push({ code: false, text: text.slice(rest, match.index) })
    parts.push({ code: true, text: match[1] ?? '' })
    rest = match.index + match[0].length
  }
  if (rest < text.length) parts.push({ code: false, text: text.slice(rest) })
  return parts
}

/** The sentence for places that take text alone, such as the names that screen readers read. */
export function withoutMarks(text: string): string {
  return splitCode(text)
    .map((part) => part.text)
    .join('')
}
