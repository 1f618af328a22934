const LIMIT = 64

/** The handle that a display name suggests: ASCII, lower case, every run of other characters a dash. */
export function deriveHandle(displayName: string): string {
  return displayName
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, LIMIT)
    .replace(/-+$/, '')
}
