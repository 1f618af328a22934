import { GraphQLError } from 'graphql'

/** Refuses as the API does: a stable code, a sentence, and where they apply the field and the fix. */
export function refuse(code: string, message: string, extra: { field?: string; fix?: string } = {}): never {
  throw new GraphQLError(message, { extensions: { code, ...extra } })
}
