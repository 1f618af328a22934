import { HttpResponse, http } from 'msw'
import { API } from '../src/util/paths'
import { filterAudit } from './audit'
import type { Db } from './db'

/** Who is signed in outlives a reload of the page, as a cookie would; empty: nobody. */
export type Session = { get: () => string; set: (username: string) => void }
/** Everyone's password in the mock; the user `locked` is told to wait. */
export const PASSWORD = 'pilothouse'
const LOCKED_USER = 'locked'
const WAIT_S = 30
const LENGTH_MIN = 8
const ACCESS_MS = 15 * 60_000
const SESSION_MS = 12 * 3_600_000

/** What the stories set to see other kinds of sign-in and their ends. */
export type Levers = {
  methods: { password: boolean; oidc: { displayName: string } | null }
  /** The access token has ended; its session can be refreshed. */
  accessEnded: boolean
  /** The session has ended, too. */
  sessionEnded: boolean
  /** How often the session was refreshed. */
  refreshes: number
}

export const levers = (): Levers => ({
  methods: { password: true, oidc: null },
  accessEnded: false,
  sessionEnded: false,
  refreshes: 0,
})

const refusal = (status: number, code: string, message: string, fix: string, field?: string) =>
  HttpResponse.json({ code, message, fix, ...(field ? { field } : {}) }, { status })

/** The REST side of signing in. */
export function authHandlers(db: Db, session: Session, state: Levers) {
  const facts = () => {
    const user = db.people.users.find((each) => each.username === session.get())
    return {
      username: session.get(),
      displayName: user?.displayName ?? session.get(),
      method: 'password',
      mustChangePassword: user?.state === 'MUST_CHANGE_PASSWORD',
      accessExpiresAt: new Date(Date.now() + ACCESS_MS).toISOString(),
      expiresAt: new Date(Date.now() + SESSION_MS).toISOString(),
    }
  }
  const nobody = () => refusal(401, 'NOT_SIGNED_IN', 'Nobody is signed in.', 'Sign in.')
  return [
    http.get(API.methods, () =>
      HttpResponse.json({
        ...state.methods,
        directory: false,
        passwordRules: { lengthMin: LENGTH_MIN, lengthMax: 128 },
      }),
    ),
    http.post(API.signIn, async ({ request }) => {
      const { username, password } = (await request.json()) as { username: string; password: string }
      if (username === LOCKED_USER) {
        const body = {
          code: 'TOO_MANY_ATTEMPTS',
          message: 'Too many attempts to sign in.',
          fix: 'Wait before the next one.',
        }
        return HttpResponse.json(body, { status: 429, headers: { 'Retry-After': String(WAIT_S) } })
      }
      const user = db.people.users.find((each) => each.username === username)
      if (user?.password !== password || user.state === 'DISABLED' || user.kind === 'SERVICE') {
        return refusal(401, 'SIGN_IN_REFUSED', 'Username or password is wrong.', 'Check both and try again.')
      }
      session.set(username)
      Object.assign(state, { accessEnded: false, sessionEnded: false })
      return HttpResponse.json(facts())
    }),
    http.get(API.session, () => (session.get() ? HttpResponse.json(facts()) : nobody())),
    http.post(API.refresh, () => {
      if (state.sessionEnded || !session.get()) {
        session.set('')
        return refusal(401, 'REFRESH_REFUSED', 'The session has ended.', 'Sign in.')
      }
      state.accessEnded = false
      state.refreshes += 1
      return HttpResponse.json(facts())
    }),
    http.post(API.password, async ({ request }) => {
      const user = db.people.users.find((each) => each.username === session.get())
      if (!user) return nobody()
      const { currentPassword, newPassword } = (await request.json()) as Record<string, string>
      if (currentPassword !== user.password)
        return refusal(400, 'PASSWORD_WRONG', 'The present password is wrong.', 'Type it again.', 'currentPassword')
      if ((newPassword ?? '').length < LENGTH_MIN)
        return refusal(400, 'PASSWORD_REFUSED', 'It is too short.', `Use ${LENGTH_MIN} or more.`, 'newPassword')
      user.password = newPassword ?? ''
      user.state = 'ACTIVE'
      return HttpResponse.json(facts())
    }),
    http.post(API.signOut, () => {
      session.set('')
      return new HttpResponse(null, { status: 204 })
    }),
    http.get(API.auditExport, ({ request }) => {
      const { searchParams } = new URL(request.url)
      const asked = Object.fromEntries([...searchParams].map(([name, value]) => [name, value]))
      const lines = filterAudit(db, asked).reverse()
      return new HttpResponse(lines.map((each) => `${JSON.stringify(each)}\n`).join(''), {
        headers: { 'Content-Type': 'application/x-ndjson' },
      })
    }),
  ]
}
