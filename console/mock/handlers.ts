import { buildSchema, type DocumentNode, execute, executeSync, parse, validate } from 'graphql'
import { HttpResponse, http } from 'msw'
import sdl from '../../contracts/schema.graphql?raw'
import * as alerts from '../src/api/generated/alerts'
import * as operations from '../src/api/generated/operations'
import * as people from '../src/api/generated/people'
import type * as api from '../src/api/generated/schema'
import * as telemetry from '../src/api/generated/telemetry'
import { digestOf } from '../src/api/persisted'
import { API } from '../src/util/paths'
import { wantsEvent } from './audit'
import { authHandlers, type Levers, levers, type Session } from './auth'
import type { Db } from './db'
import { guarded } from './guard'
import { filterRuntimes, makeRoot } from './resolvers'
import { wantsLine } from './telemetry'
import { tryItHandlers } from './try-it'

export { PASSWORD, type Session } from './auth'

/** Levers of a server that is slow to answer. */
type Holding = { hold: (operation: string) => void; answer: () => void }

export type Mock = {
  handlers: ReturnType<typeof http.post>[]
  cutLines: (forMs?: number) => void
  /** Nothing answers, as if the network were gone, until told otherwise. */
  down: (isDown: boolean) => void
  state: Levers
} & Holding

/** The documents of this build by their digests, as the control plane reads them from beside the console. */
async function learn(known: Map<string, string>): Promise<void> {
  for (const [name, document] of Object.entries({ ...operations, ...people, ...telemetry, ...alerts })) {
    const text = String(document)
    const digest = name.endsWith('Document') ? await digestOf(text) : undefined
    if (digest) known.set(digest, text)
  }
}

type Asked = {
  query?: string
  variables: Record<string, unknown>
  extensions?: { persistedQuery: { sha256Hash: string } }
}

/** The API on msw: the contract's own schema runs against the database in memory, so the mock cannot drift in shape. */
export function makeMock(db: Db, session: Session): Mock {
  const schema = buildSchema(sdl)
  const root = guarded(db, schema, makeRoot(db))
  const state = levers()
  const known = new Map<string, string>()
  const manifest = learn(known)
  const lines = new Set<() => void>()
  let downUntil = 0
  let isGone = false
  let held: string | undefined
  let letGo: (() => void)[] = []

  const notSignedIn = () =>
    HttpResponse.json({ code: 'NOT_SIGNED_IN', message: 'Nobody is signed in.', fix: 'Sign in.' }, { status: 401 })

  const changeFor = (change: api.RuntimeChange, variables: Record<string, unknown>) => {
    const filter = (variables.filter ?? null) as api.RuntimeFilter | null
    const { runtime } = change
    const isWanted =
      !runtime || filterRuntimes({ runtimes: [runtime], people: db.people } as unknown as Db, filter).length > 0
    return isWanted ? { runtimeChanged: change } : undefined
  }
  const eventFor = ({ sequence }: api.RuntimeChange, variables: Record<string, unknown>) => {
    const event = db.events.find((each) => each.sequence === sequence)
    const isWanted = event && wantsEvent(event, variables.filter as api.EventFilter | null)
    return isWanted ? { eventHappened: { sequence, resync: false, event } } : undefined
  }

  const stream = (document: DocumentNode, variables: Record<string, unknown>) => {
    const isEvents = JSON.stringify(document.definitions[0]).includes('eventHappened')
    const isTail = JSON.stringify(document.definitions[0]).includes('logTailed')
    const after = Number(variables.after ?? 0)
    let stop = () => {}
    const encoder = new TextEncoder()
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const send = (change: api.RuntimeChange) => {
          const rootValue = isEvents ? eventFor(change, variables) : changeFor(change, variables)
          if (!rootValue) return
          const answer = executeSync({ schema, document, rootValue, variableValues: variables })
          controller.enqueue(encoder.encode(`event: next\ndata: ${JSON.stringify(answer)}\n\n`))
        }
        const tell = (line: api.LogLine) => {
          if (!wantsLine(line, variables.filter as api.LogFilter | null)) return
          const rootValue = { logTailed: { arrival: line.id, lines: [line], skipped: 0 } }
          const answer = executeSync({ schema, document, rootValue, variableValues: variables })
          controller.enqueue(encoder.encode(`event: next\ndata: ${JSON.stringify(answer)}\n\n`))
        }
        const alive = setInterval(() => controller.enqueue(encoder.encode(': alive\n\n')), 15_000)
        const unlisten = isTail ? db.telemetry.listen(tell) : db.listen(send)
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
        if (isTail) {
          for (const line of db.telemetry.lines.filter(({ id }) => Number(id) > after).toReversed()) tell(line)
        } else for (const change of db.changes) if (change.sequence > after) send(change)
      },
      cancel: () => stop(),
    })
    return new HttpResponse(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }

  const handlers = [
    http.post(API.graphql, async ({ request }) => {
      if (isGone) return HttpResponse.error()
      if (!session.get()) return notSignedIn()
      if (state.accessEnded || state.sessionEnded)
        return HttpResponse.json(
          { code: 'SESSION_EXPIRED', message: 'The access has ended.', fix: 'Refresh the session.' },
          { status: 401 },
        )
      if (Date.now() < downUntil)
        return HttpResponse.json({ code: 'UNAVAILABLE', message: 'The control plane is restarting.' }, { status: 503 })
      db.people.viewer = session.get()
      if (db.people.me.state === 'MUST_CHANGE_PASSWORD')
        return HttpResponse.json(
          { code: 'PASSWORD_CHANGE_REQUIRED', message: 'The password must be changed.', fix: 'Change it.' },
          { status: 403 },
        )
      const { query: text, variables, extensions } = (await request.json()) as Asked
      await manifest
      const hash = extensions?.persistedQuery.sha256Hash
      if (hash && text) known.set(hash, text)
      const query = text ?? known.get(hash ?? '')
      if (!query) {
        const error = { message: 'No query is known.', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }
        return HttpResponse.json({ errors: [error] }, { status: 404 })
      }
      const document = parse(query)
      const errors = validate(schema, document)
      if (errors.length > 0) return HttpResponse.json({ errors }, { status: 400 })
      if (held && query.includes(`query ${held}(`)) await new Promise<void>((resolve) => letGo.push(resolve))
      if (request.headers.get('Accept') === 'text/event-stream') {
        return stream(document, variables)
      }
      return HttpResponse.json(await execute({ schema, document, rootValue: root, variableValues: variables }))
    }),
    ...authHandlers(db, session, state),
    ...tryItHandlers(db, session),
  ]
  const cutAll = () => {
    for (const cut of [...lines]) cut()
  }
  return {
    handlers,
    state,
    down: (isDown) => {
      isGone = isDown
      if (isDown) cutAll()
    },
    hold: (operation) => {
      held = operation
    },
    answer: () => {
      held = undefined
      for (const each of letGo) each()
      letGo = []
    },
    cutLines: (forMs = 0) => {
      downUntil = Date.now() + forMs
      cutAll()
    },
  }
}
