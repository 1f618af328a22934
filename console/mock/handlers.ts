import { buildSchema, type DocumentNode, execute, executeSync, parse, validate } from 'graphql'
import { HttpResponse, http } from 'msw'
import sdl from '../../contracts/schema.graphql?raw'
import type * as api from '../src/api/generated/schema'
import { API } from '../src/util/paths'
import type { Db } from './db'
import { filterRuntimes, makeRoot } from './resolvers'

/** Whether somebody is signed in outlives a reload of the page, as a cookie would. */
export type Session = { get: () => boolean; set: (signedIn: boolean) => void }
/** Everyone's password in the mock; the user `locked` is told to wait. */
export const PASSWORD = 'pilothouse'
const LOCKED_USER = 'locked'
const WAIT_S = 30

export type Mock = { handlers: ReturnType<typeof http.post>[]; cutLines: (forMs?: number) => void }

/** The API on msw: the contract's own schema runs against the database in memory, so the mock cannot drift in shape. */
export function makeMock(db: Db, session: Session): Mock {
  const schema = buildSchema(sdl)
  const root = makeRoot(db)
  const lines = new Set<() => void>()
  let downUntil = 0

  const notSignedIn = () =>
    HttpResponse.json({ code: 'NOT_SIGNED_IN', message: 'Nobody is signed in.', fix: 'Sign in.' }, { status: 401 })

  const stream = (document: DocumentNode, variables: Record<string, unknown>) => {
    const filter = (variables.filter ?? null) as api.RuntimeFilter | null
    const after = Number(variables.after ?? 0)
    let stop = () => {}
    const encoder = new TextEncoder()
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const send = (change: api.RuntimeChange) => {
          const runtime = change.runtime
          const wanted = !runtime || filterRuntimes({ runtimes: [runtime] } as unknown as Db, filter).length > 0
          if (!wanted) return
          const answer = executeSync({
            schema,
            document,
            rootValue: { runtimeChanged: change },
            variableValues: variables,
          })
          controller.enqueue(encoder.encode(`event: next\ndata: ${JSON.stringify(answer)}\n\n`))
        }
        const alive = setInterval(() => controller.enqueue(encoder.encode(': alive\n\n')), 15_000)
        const unlisten = db.listen(send)
        const cut = () => {
          stop()
          controller.error(new Error('cut'))
        }
        stop = () => {
          clearInterval(alive)
          unlisten()
          lines.delete(cut)
        }
        lines.add(cut)
        controller.enqueue(encoder.encode(': hello\n\n'))
        for (const change of db.changes) if (change.sequence > after) send(change)
      },
      cancel: () => stop(),
    })
    return new HttpResponse(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }

  const handlers = [
    http.post(API.graphql, async ({ request }) => {
      if (!session.get()) return notSignedIn()
      const { query, variables } = (await request.json()) as { query: string; variables: Record<string, unknown> }
      if (Date.now() < downUntil)
        return HttpResponse.json({ code: 'UNAVAILABLE', message: 'The control plane is restarting.' }, { status: 503 })
      const document = parse(query)
      const errors = validate(schema, document)
      if (errors.length > 0) return HttpResponse.json({ errors }, { status: 400 })
      if (request.headers.get('Accept') === 'text/event-stream') {
        return stream(document, variables)
      }
      return HttpResponse.json(await execute({ schema, document, rootValue: root, variableValues: variables }))
    }),
    http.post(API.signIn, async ({ request }) => {
      const { username, password } = (await request.json()) as { username: string; password: string }
      if (username === LOCKED_USER) {
        const refusal = {
          code: 'TOO_MANY_ATTEMPTS',
          message: 'Too many attempts to sign in.',
          fix: 'Wait before the next one.',
        }
        return HttpResponse.json(refusal, { status: 429, headers: { 'Retry-After': String(WAIT_S) } })
      }
      if (password !== PASSWORD) {
        const refusal = {
          code: 'SIGN_IN_REFUSED',
          message: 'Username or password is wrong.',
          fix: 'Check both and try again.',
        }
        return HttpResponse.json(refusal, { status: 401 })
      }
      session.set(true)
      return HttpResponse.json({ username, displayName: 'Administrator' })
    }),
    http.post(API.signOut, () => {
      session.set(false)
      return new HttpResponse(null, { status: 204 })
    }),
  ]
  return {
    handlers,
    cutLines: (forMs = 0) => {
      downUntil = Date.now() + forMs
      for (const cut of [...lines]) cut()
    },
  }
}
