import { strings } from '@/strings/common'
import { learnSkew } from '@/util/clock'
import { API } from '@/util/paths'
import type { TypedDocumentString } from './generated/operations'
import { ApiProblem, type Refused } from './problem'

type GraphqlError = { message: string; extensions?: { code?: string; field?: string; fix?: string } }
type GraphqlAnswer<Result> = { data?: Result | null; errors?: GraphqlError[] }

let onSignedOut: () => void = () => undefined

/** What happens when any answer says 401; the application sets it once. */
export function whenSignedOut(action: () => void): void {
  onSignedOut = action
}

export function signedOut(): void {
  onSignedOut()
}

async function send(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    })
    learnSkew(response.headers.get('Date'))
    return response
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiProblem(0, [{ code: 'UNREACHABLE', ...strings.unreachable }])
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}

export function problemOf(response: Response, body: unknown): ApiProblem {
  const retryAfter = Number(response.headers.get('Retry-After'))
  const stated = body as Partial<Refused> | undefined
  const refused: Refused = {
    code: stated?.code ?? `HTTP_${response.status}`,
    message: stated?.message ?? strings.httpFailure(response.status),
    ...(stated?.fix ? { fix: stated.fix } : {}),
    ...(stated?.field ? { field: stated.field } : {}),
  }
  return new ApiProblem(response.status, [refused], retryAfter > 0 ? retryAfter : undefined)
}

export function refusalsOf(errors: GraphqlError[]): Refused[] {
  return errors.map((error) => ({
    code: error.extensions?.code ?? 'UNKNOWN',
    message: error.message,
    ...(error.extensions?.field ? { field: error.extensions.field } : {}),
    ...(error.extensions?.fix ? { fix: error.extensions.fix } : {}),
  }))
}

/** Runs one query or mutation. */
export async function graphql<Result, Variables>(
  document: TypedDocumentString<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  const response = await send(API.graphql, { query: document.toString(), variables }, signal)
  const answer = (await readJson(response)) as GraphqlAnswer<Result> | undefined
  if (response.status === 401) {
    signedOut()
    throw problemOf(response, answer)
  }
  if (answer?.errors?.length) throw new ApiProblem(response.status, refusalsOf(answer.errors))
  if (!response.ok || answer?.data == null) throw problemOf(response, answer)
  return answer.data
}

export async function signIn(username: string, password: string): Promise<void> {
  const response = await send(API.signIn, { username, password })
  if (!response.ok) throw problemOf(response, await readJson(response))
}

export async function signOut(): Promise<void> {
  const response = await send(API.signOut, {})
  if (!response.ok && response.status !== 401) throw problemOf(response, await readJson(response))
}
