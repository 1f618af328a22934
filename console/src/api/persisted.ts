/** Digests by the text that they are of. */
const digests = new Map<string, string>()

/**
 * The digest by which the control plane knows a document of this build, or undefined where the browser computes none
 * (a page that came over plain HTTP from another host).
 */
export async function digestOf(text: string): Promise<string | undefined> {
  const known = digests.get(text)
  if (known) return known
  if (!globalThis.crypto?.subtle) return undefined
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  const digest = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  digests.set(text, digest)
  return digest
}

export const NOT_KNOWN = 'PERSISTED_QUERY_NOT_FOUND'

/** What is sent for a document: its digest alone, or (where the control plane does not know it) with its text. */
export async function bodyOf(text: string, variables: unknown, withText: boolean) {
  const sha256Hash = await digestOf(text)
  if (!sha256Hash) return { query: text, variables }
  const extensions = { persistedQuery: { version: 1, sha256Hash } }
  return withText ? { query: text, variables, extensions } : { variables, extensions }
}
