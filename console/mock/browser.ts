import { setupWorker } from 'msw/browser'
import type { Permission, Severity } from '../src/api/generated/schema'
import type { Levers } from './auth'
import { Db, iso } from './db'
import { growFleet } from './fleet'
import { makeMock, type Session } from './handlers'
import { liveOn } from './life'
import { showNote } from './note'
import { makeRuntime } from './seed'

const KEY = 'mock.signed-in'
const session: Session = {
  get: () => sessionStorage.getItem(KEY) ?? '',
  set: (username) => sessionStorage.setItem(KEY, username),
}

declare global {
  /** Levers for the stories: `quiet` before the start, the others afterwards. */
  var mockQuiet: boolean | undefined
  var mockMethods: Levers['methods'] | undefined
  /** So many more runtimes are in staging. */
  var mockFleet: number | undefined
  /** No role contains these. */
  var mockLost: Permission[] | undefined
  var mock:
    | {
        cutLines: (forMs?: number) => void
        silence: (id: string) => void
        register: (name: string) => void
        empty: () => void
        /** Ends the access, or with `true` the whole session. */
        expire: (whole?: boolean) => void
        /** No role contains these any more. */
        lose: (permissions: Permission[]) => void
        /** The control plane does not answer at all until it is told to. */
        down: (isDown: boolean) => void
        refreshes: () => number
        refusedChanges: () => string[]
        refusedQueries: () => string[]
        /** Answers whose document names this wait until `answer` lets them go. */
        hold: (operation: string) => void
        answer: () => void
        tamper: (record: number) => void
        say: (message: string, level: Severity) => void
        /** Lets a rule find something more. */
        fire: (message: string) => void
        /** The telemetry store does not do well. */
        degrade: (why: string) => void
      }
    | undefined
}

export async function startMock(): Promise<void> {
  const db = new Db()
  const lose = (lost: Permission[]) => {
    for (const role of db.people.roles) role.permissions = role.permissions.filter((each) => !lost.includes(each))
  }
  lose(globalThis.mockLost ?? [])
  if (globalThis.mockFleet) growFleet(db, globalThis.mockFleet)
  const { handlers, cutLines, down, state, hold, answer } = makeMock(db, session)
  if (globalThis.mockMethods) state.methods = globalThis.mockMethods
  await setupWorker(...handlers).start({ quiet: true, onUnhandledRequest: 'bypass' })
  if (!globalThis.mockQuiet) {
    showNote()
    liveOn(db)
  }
  globalThis.mock = {
    cutLines,
    silence: (id) => {
      const runtime = db.runtimes.find((each) => each.id === id)
      if (!runtime) return
      runtime.silent = true
      runtime.lastHeartbeatAt = iso(-31)
      db.changed('OFFLINE', runtime)
    },
    register: (name) => {
      const integration = db.integrations[0]
      if (!integration) return
      const runtime = makeRuntime(db, integration, 'dev', name, 1)
      db.runtimes.push(runtime)
      db.changed('REGISTERED', runtime)
    },
    empty: () => db.runtimes.splice(0),
    expire: (whole = false) => {
      state.accessEnded = true
      state.sessionEnded = whole
    },
    lose,
    down,
    refreshes: () => state.refreshes,
    say: (message, level) => {
      db.telemetry.say(message, level)
    },
    degrade: (why) => {
      db.storeTrouble = why
    },
    fire: (message) => db.alerts.fire(message),
    refusedChanges: () => db.refusedChanges,
    refusedQueries: () => db.refusedQueries,
    hold,
    answer,
    tamper: (record) => {
      db.tampered = record
    },
  }
}
