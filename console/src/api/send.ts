import { strings } from '@/strings/common'
import { learnSkew } from '@/util/clock'
import { ApiProblem, type Refused } from './problem'

/** Sends JSON, or asks without a body; a control plane that does not answer is an ApiProblem as well. */
export async function send(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  try {
    const response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      credentials: 'same-origin',
      headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
    learnSkew(response.headers.get('Date'))
    return response
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiProblem(0, [{ code: 'UNREACHABLE', ...strings.unreachable }])
  }
}

export async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}

export function problemOf(response: Response, body: unknown): ApiProblem {
  const retryAfter = Number(response.headers.get('Retry-After'))
  const stated = body as Partial<Refused> | undefined
  const requestId = stated?.requestId ?? response.headers.get('X-Request-Id')
  const refused: Refused = {
    code: stated?.code ?? `HTTP_${response.status}`,
    message: stated?.message ?? strings.httpFailure(response.status),
    ...(stated?.fix ? { fix: stated.fix } : {}),
    ...(stated?.field ? { field: stated.field } : {}),
    ...(requestId ? { requestId } : {}),
  }
  return new ApiProblem(response.status, [refused], retryAfter > 0 ? retryAfter : undefined)
}
