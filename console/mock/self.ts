import type * as api from '../src/api/generated/schema'
import { connection, type Db, iso, type PageArguments } from './db'
import type { TokenRecord } from './people'
import { refuse } from './refuse'

/** One's own tokens, sessions and devices, and those of others for who may manage users. */
export function selfRoot(db: Db) {
  const { people } = db
  const token = (record: TokenRecord) => ({
    ...record,
    owner: people.users.find((each) => each.id === record.owner),
    state: record.state === 'ACTIVE' && record.expiresAt && record.expiresAt < iso(0) ? 'EXPIRED' : record.state,
  })
  const device = (code: string) =>
    people.devices.find((each) => each.userCode === code.toUpperCase() && each.allowed === null)
  return {
    apiTokens: ({
      user,
      includeEnded,
      ...page
    }: PageArguments & { user?: string | null; includeEnded?: boolean | null }) =>
      connection(
        people.tokens
          .filter((each) => each.owner === (user ?? people.me.id))
          .map(token)
          .filter((each) => includeEnded || each.state === 'ACTIVE'),
        page,
      ),
    sessions: ({ user, ...page }: PageArguments & { user?: string | null }) =>
      connection(
        people.sessions
          .filter((each) => each.user === (user ?? people.me.id))
          .map((each) => ({ ...each, current: each.id === 's-1' })),
        page,
      ),
    deviceRequest: ({ userCode }: { userCode: string }) => device(userCode) ?? null,
    decideDevice: ({ userCode, allow }: { userCode: string; allow: boolean }) => {
      const found = device(userCode) ?? refuse('NOT_FOUND', 'The code is wrong, used or too old.')
      found.allowed = allow
      return found
    },
    createApiToken: ({ input }: { input: api.CreateApiTokenInput }) => {
      if (!input.name.trim()) refuse('INVALID', 'Enter a name.', { field: 'name' })
      const record: TokenRecord = {
        id: people.id('t'),
        name: input.name,
        owner: input.user ?? people.me.id,
        hint: 'pht_9fWx',
        state: 'ACTIVE',
        permissions: input.permissions ?? null,
        createdAt: iso(0),
        createdBy: people.viewer,
        expiresAt: input.expiresAt ?? null,
        lastUsedAt: null,
        lastUsedAddress: null,
        revokedAt: null,
        revokedBy: null,
      }
      people.tokens.unshift(record)
      return { apiToken: token(record), token: 'pht_9fWx3mT0c2L8sVbN5qRz1yKd7uEo4hAa' }
    },
    revokeApiToken: ({ id }: { id: string }) => {
      const found = people.tokens.find((each) => each.id === id) ?? refuse('NOT_FOUND', 'There is no such token.')
      Object.assign(found, { state: 'REVOKED', revokedAt: iso(0), revokedBy: people.viewer })
      return token(found)
    },
    endSession: ({ id }: { id: string }) => {
      const at = people.sessions.findIndex((each) => each.id === id)
      if (at >= 0) people.sessions.splice(at, 1)
      return at >= 0
    },
    endAllSessions: ({ user }: { user?: string | null }) => {
      const of = user ?? people.me.id
      const kept = people.sessions.filter((each) => each.user !== of)
      const ended = people.sessions.length - kept.length
      people.sessions.splice(0, people.sessions.length, ...kept)
      return ended
    },
  }
}
