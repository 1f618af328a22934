/** What the pages keep in the address: read strictly, everything else is dropped. */
type Raw = Record<string, unknown>

function text(raw: Raw, name: string): string | undefined {
  const value = raw[name]
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined
}

function filled(raw: Raw, name: string): string | undefined {
  return text(raw, name) || undefined
}

function flag(raw: Raw, name: string): true | undefined {
  return raw[name] === true || raw[name] === 'true' ? true : undefined
}

export type SignInSearch = { to?: string | undefined }
export type ListSearch = { search?: string | undefined; create?: true | undefined }
export type RuntimeSearch = { filter?: string | undefined; services?: string | undefined }
export type SecretsSearch = { environment?: string | undefined }
/** `add` is the environment that Add Runtime starts with, or empty for none. */
export type RuntimesSearch = {
  environment?: string | undefined
  add?: string | undefined
  refusals?: true | undefined
}

export const signIn = (raw: Raw): SignInSearch => ({ to: filled(raw, 'to') })
export const list = (raw: Raw): ListSearch => ({ search: filled(raw, 'search'), create: flag(raw, 'create') })
export const runtime = (raw: Raw): RuntimeSearch => ({
  filter: filled(raw, 'filter'),
  services: filled(raw, 'services'),
})
export const secrets = (raw: Raw): SecretsSearch => ({ environment: filled(raw, 'environment') })
export const runtimes = (raw: Raw): RuntimesSearch => ({
  environment: filled(raw, 'environment'),
  add: text(raw, 'add'),
  refusals: flag(raw, 'refusals'),
})
