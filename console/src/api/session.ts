import { API } from '@/util/paths'
import { problemOf, readJson, send } from './send'

/** What signs somebody in here, and what a password must be. */
export type Methods = {
  password: boolean
  directory: boolean
  oidc: { displayName: string } | null
  passwordRules: { lengthMin: number; lengthMax: number }
}

export type SessionFacts = {
  username: string
  displayName: string
  method: string
  mustChangePassword: boolean
  accessExpiresAt: string
  expiresAt: string
}

/** The access is renewed this long before it ends, so that nobody waits for it. */
const AHEAD_MS = 60_000
/** Tabs do not all wake in the same moment. */
const SPREAD_MS = 15_000
const LOCK = 'pilothouse-refresh'
/** What the tabs tell each other: when the access was renewed and when it ends. Instants and nothing else. */
const NOTE = 'pilothouse.access'

type Note = { renewedAt: number; endsAt: number }

function read(): Note {
  try {
    return JSON.parse(localStorage.getItem(NOTE) ?? '') as Note
  } catch {
    return { renewedAt: 0, endsAt: 0 }
  }
}

function remember(facts: Partial<SessionFacts>): void {
  // The answer comes from the server's clock, the timer runs by ours: only the span between both is used.
  const lastsMs = facts.accessExpiresAt ? Date.parse(facts.accessExpiresAt) - Date.now() : 0
  try {
    localStorage.setItem(NOTE, JSON.stringify({ renewedAt: Date.now(), endsAt: Date.now() + lastsMs }))
  } catch {
    // Without a place to note it, the first refusal renews.
  }
  plan()
}

/** Nobody is in any more: there is nothing to renew. */
function forgetNote(): void {
  try {
    localStorage.removeItem(NOTE)
  } catch {
    // Then the next refusal asks once in vain.
  }
}

let timer: ReturnType<typeof setTimeout> | undefined

/** Renews ahead of the end, by whichever tab comes first. */
export function plan(): void {
  clearTimeout(timer)
  const { endsAt } = read()
  if (endsAt <= Date.now()) return
  const dueInMs = Math.max(0, endsAt - AHEAD_MS - Date.now()) + Math.random() * SPREAD_MS
  timer = setTimeout(() => {
    // What fails here is told by the next request that needs it.
    if (read().endsAt - Date.now() < AHEAD_MS + SPREAD_MS) void renew(Date.now() - 1).catch(() => undefined)
    else plan()
  }, dueInMs)
}

let underWay: Promise<boolean> | undefined

/**
 * Renews the access once for all tabs, unless one of them did so after `since`. False when the session has ended.
 *
 * Fails with an ApiProblem when the control plane does not answer.
 */
export function renew(since: number): Promise<boolean> {
  underWay ??= locked(async () => {
    if (read().renewedAt > since) return true
    const response = await send(API.refresh, {})
    const answer = await readJson(response)
    if (response.ok) {
      remember(answer as SessionFacts)
      return true
    }
    // Another tab was faster in the same moment: its cookie is ours as well.
    if (response.status === 409) return true
    if (response.status === 401) {
      forgetNote()
      return false
    }
    throw problemOf(response, answer)
  }).finally(() => {
    underWay = undefined
  })
  return underWay
}

function locked(work: () => Promise<boolean>): Promise<boolean> {
  return globalThis.navigator?.locks ? navigator.locks.request(LOCK, work) : work()
}

async function answered<Answer>(response: Response): Promise<Answer> {
  const answer = await readJson(response)
  if (!response.ok) throw problemOf(response, answer)
  return answer as Answer
}

export async function methods(): Promise<Methods> {
  return answered<Methods>(await send(API.methods))
}

export async function signIn(username: string, password: string): Promise<SessionFacts> {
  const facts = await answered<SessionFacts>(await send(API.signIn, { username, password, mode: 'cookie' }))
  remember(facts)
  return facts
}

/** What the access is good for, asked after a sign-in that another page began. */
export async function session(): Promise<SessionFacts> {
  const facts = await answered<SessionFacts>(await send(API.session))
  remember(facts)
  return facts
}

export async function signOut(everywhere = false): Promise<void> {
  const response = await withRenewal(() => send(API.signOut, everywhere ? { everywhere } : {}))
  if (!response.ok && response.status !== 401) throw problemOf(response, await readJson(response))
  clearTimeout(timer)
  forgetNote()
}

export async function changePassword(currentPassword: string, newPassword: string): Promise<SessionFacts> {
  const facts = await answered<SessionFacts>(
    await withRenewal(() => send(API.password, { currentPassword, newPassword })),
  )
  remember(facts)
  return facts
}

/** Sends once more after a renewal where the access alone had ended, or the browser no longer has it. */
export async function withRenewal(request: () => Promise<Response>): Promise<Response> {
  const sentAt = Date.now()
  const response = await request()
  if (response.status !== 401) return response
  const answer = (await readJson(response.clone())) as { code?: string } | undefined
  const mayRenew = answer?.code === 'SESSION_EXPIRED' || (answer?.code === 'NOT_SIGNED_IN' && read().renewedAt > 0)
  if (!mayRenew) return response
  return (await renew(sentAt)) ? request() : response
}
