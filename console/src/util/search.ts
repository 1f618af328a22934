import type { ArtifactKind, SteerableKind } from '@/api/generated/operations'

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

function oneOf<Name extends string>(raw: Raw, name: string, names: readonly Name[]): Name | undefined {
  return names.find((each) => each === raw[name])
}

export const STEERABLE_KINDS = [
  'API',
  'CONSUMER',
  'ENDPOINT',
  'INBOUND_ENDPOINT',
  'LISTENER',
  'LOGGER',
  'MESSAGE_PROCESSOR',
  'PROXY_SERVICE',
  'SCHEDULE',
  'SEQUENCE',
  'TASK',
  'TEMPLATE',
] as const satisfies SteerableKind[]

export const ARTIFACT_KINDS = [
  'API',
  'AUTOMATION',
  'CARBON_APP',
  'CONNECTOR',
  'CONSUMER',
  'DATA_SERVICE',
  'DATA_SOURCE',
  'ENDPOINT',
  'INBOUND_ENDPOINT',
  'LISTENER',
  'LOCAL_ENTRY',
  'MESSAGE_PROCESSOR',
  'MESSAGE_STORE',
  'PROXY_SERVICE',
  'REGISTRY_RESOURCE',
  'SCHEDULE',
  'SEQUENCE',
  'SERVICE',
  'TASK',
  'TEMPLATE',
] as const satisfies ArtifactKind[]

export type SignInSearch = { to?: string | undefined }
export type ListSearch = { search?: string | undefined; create?: true | undefined }
export type RuntimeSearch = {
  filter?: string | undefined
  services?: string | undefined
  artifacts?: string | undefined
  kind?: ArtifactKind | undefined
}
export type SecretsSearch = { environment?: string | undefined; secret?: string | undefined }
export type SteeringSearch = {
  environment?: string | undefined
  kind?: SteerableKind | undefined
  search?: string | undefined
  differing?: true | undefined
}
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
  artifacts: filled(raw, 'artifacts'),
  kind: oneOf(raw, 'kind', ARTIFACT_KINDS),
})
export const secrets = (raw: Raw): SecretsSearch => ({
  environment: filled(raw, 'environment'),
  secret: filled(raw, 'secret'),
})
export const steering = (raw: Raw): SteeringSearch => ({
  environment: filled(raw, 'environment'),
  kind: oneOf(raw, 'kind', STEERABLE_KINDS),
  search: filled(raw, 'search'),
  differing: flag(raw, 'differing'),
})
export const runtimes = (raw: Raw): RuntimesSearch => ({
  environment: filled(raw, 'environment'),
  add: text(raw, 'add'),
  refusals: flag(raw, 'refusals'),
})
