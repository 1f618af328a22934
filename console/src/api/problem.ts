/** One refusal as the API words it: a stable code, a sentence, its fix, the field it belongs to, and the request's id in the log. */
export type Refused = { code: string; message: string; fix?: string; field?: string; requestId?: string }

/** Every way in which a call to the API can fail, as one type. */
export class ApiProblem extends Error {
  readonly status: number
  readonly refusals: Refused[]
  readonly retryAfterS: number | undefined

  constructor(status: number, refusals: Refused[], retryAfterS?: number) {
    super(refusals.map((each) => each.message).join(' '))
    this.name = 'ApiProblem'
    this.status = status
    this.refusals = refusals
    this.retryAfterS = retryAfterS
  }

  get code(): string {
    return this.refusals[0]?.code ?? 'UNKNOWN'
  }

  get fix(): string | undefined {
    return this.refusals.find((each) => each.fix)?.fix
  }

  /** What to look for in the control plane's log. */
  get requestId(): string | undefined {
    return this.refusals.find((each) => each.requestId)?.requestId
  }

  /** The refusal that belongs to a form's field. */
  of(field: string): Refused | undefined {
    return this.refusals.find((each) => each.field === field)
  }

  get notSignedIn(): boolean {
    return this.status === 401
  }
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  return new ApiProblem(0, [{ code: 'UNEXPECTED', message: error instanceof Error ? error.message : String(error) }])
}
