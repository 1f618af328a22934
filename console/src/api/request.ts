import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core'
import { API } from '@/util/paths'
import { bodyOf, NOT_KNOWN } from './persisted'
import { ApiProblem, type Refused } from './problem'
import { problemOf, readJson, send } from './send'
import { withRenewal } from './session'

type GraphqlError = {
  message: string
  extensions?: { code?: string; field?: string; fix?: string; requestId?: string }
}
type GraphqlAnswer<Result> = { data?: Result | null; errors?: GraphqlError[]; code?: string }

/** Documents of every generated file are alike. */
export type Document<Result, Variables> = DocumentTypeDecoration<Result, Variables> & { toString: () => string }

let onSignedOut: () => void = () => undefined
let onPasswordDue: () => void = () => undefined

/** What happens when any answer says 401; the application sets it once. */
export function whenSignedOut(action: () => void): void {
  onSignedOut = action
}

export function signedOut(): void {
  onSignedOut()
}

/** What happens when the password must be changed first; the application sets it once. */
export function whenPasswordDue(action: () => void): void {
  onPasswordDue = action
}

export function refusalsOf(errors: GraphqlError[]): Refused[] {
  return errors.map((error) => ({
    code: error.extensions?.code ?? 'UNKNOWN',
    message: error.message,
    ...(error.extensions?.field ? { field: error.extensions.field } : {}),
    ...(error.extensions?.fix ? { fix: error.extensions.fix } : {}),
    ...(error.extensions?.requestId ? { requestId: error.extensions.requestId } : {}),
  }))
}

function isNotKnown(answer: GraphqlAnswer<unknown> | undefined): boolean {
  return answer?.code === NOT_KNOWN || answer?.errors?.[0]?.extensions?.code === NOT_KNOWN
}

/** Sends a document by its digest, and with its text when the control plane is of another version and does not know it. */
export async function sendDocument(
  text: string,
  variables: unknown,
  post: (body: unknown) => Promise<Response>,
): Promise<Response> {
  const body = await bodyOf(text, variables, false)
  const response = await withRenewal(() => post(body))
  if ('query' in body || response.headers.get('Content-Type')?.startsWith('text/event-stream')) return response
  const answer = (await readJson(response.clone())) as GraphqlAnswer<unknown> | undefined
  return isNotKnown(answer) ? post(await bodyOf(text, variables, true)) : response
}

/** Runs one query or mutation. */
export async function graphql<Result, Variables>(
  document: Document<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const response = await sendDocument(document.toString(), variables, (body) => send(API.graphql, body, signal))
  const answer = (await readJson(response)) as GraphqlAnswer<Result> | undefined
  if (response.status === 401) {
    signedOut()
    throw problemOf(response, answer)
  }
  if (response.status === 403 && answer?.code === 'PASSWORD_CHANGE_REQUIRED') onPasswordDue()
  if (answer?.errors?.length) throw new ApiProblem(response.status, refusalsOf(answer.errors))
  if (!response.ok || answer?.data == null) throw problemOf(response, answer)
  return answer.data
}
