import type * as api from '../src/api/generated/schema'
import { connection, type Db, iso, OFFLINE_AFTER_S, type PageArguments, type SecretRecord, viewRuntime } from './db'
import { refuse } from './refuse'
import { makeRuntime, unending } from './seed'

/** How long the mock's new runtime takes to send its first heartbeat. */
const FIRST_HEARTBEAT_MS = 2_500
/** How long one that was removed and still runs takes to come back. */
const BACK_MS = 3_000
const DAY_S = 86_400

/** The queries and mutations of secrets, and of the runtimes that hang on them. */
export function secretsRoot(db: Db) {
  const users = (keyId: string) => db.runtimes.filter((each) => each.secretKeyId === keyId)
  const view = (record: SecretRecord) => ({
    ...record,
    state: stateOf(record),
    runtimeCount: users(record.keyId).length,
    runtimes: (page: PageArguments) =>
      connection(
        users(record.keyId)
          .sort((a, b) => Number(a.silent) - Number(b.silent))
          .map((each) => viewRuntime(each, db)),
        page,
      ),
  })
  /** Nobody sees secrets that they do not manage. */
  const managed = ({ environment, project, integration }: SecretRecord) => {
    const place = {
      project: project?.handle ?? null,
      integration: integration?.handle ?? null,
      environment: environment.handle,
    }
    return (
      db.people.holds('ENVIRONMENT_MGT_MANAGE', place) ||
      (!environment.critical && db.people.holds('ENVIRONMENT_MGT_MANAGE_NONPROD', place)) ||
      (integration !== null && db.people.holds('INTEGRATION_MGT_MANAGE', place))
    )
  }
  const known = (keyId: string): SecretRecord => {
    const found = db.secrets.find((each) => each.keyId === keyId)
    if (!found || !managed(found) || stateOf(found) === 'REVOKED') refuse('NOT_FOUND', 'There is no such secret.')
    return found
  }
  const silence = (keyId: string) =>
    setTimeout(() => {
      if (!db.secrets.some((each) => each.keyId === keyId && each.revokedFrom)) return
      for (const runtime of users(keyId).filter((each) => !each.silent)) {
        Object.assign(runtime, { silent: true, lastHeartbeatAt: iso(-OFFLINE_AFTER_S) })
        db.changed('OFFLINE', runtime)
      }
    }, OFFLINE_AFTER_S * 1_000)

  return {
    secrets: ({ filter, ...page }: { filter?: api.SecretFilter | null } & PageArguments) =>
      connection(
        db.secrets
          .filter(
            (each) =>
              managed(each) &&
              stateOf(each) !== 'REVOKED' &&
              (!filter?.environment || each.environment.handle === filter.environment) &&
              (!filter?.project || each.project?.handle === filter.project) &&
              (!filter?.integration || each.integration?.handle === filter.integration),
          )
          .map(view),
        page,
      ),
    secret: ({ keyId }: { keyId: string }) =>
      db.secrets.filter((each) => each.keyId === keyId && managed(each)).map(view)[0] ?? null,
    generateSecret: ({ input }: { input: api.GenerateSecretInput }) => generateSecret(db, input),
    revokeSecret: ({ keyId, graceSeconds }: { keyId: string; graceSeconds?: number | null }) => {
      const secret = known(keyId)
      secret.revokedFrom = iso(graceSeconds ?? 0)
      secret.revokedBy = 'admin'
      silence(keyId)
      return { keyId, runtimeCount: users(keyId).length, effectiveAt: secret.revokedFrom }
    },
    restoreSecret: ({ keyId }: { keyId: string }) => {
      const secret = known(keyId)
      if (!secret.revokedFrom) refuse('NOT_REVOKING', 'This secret is not being revoked.')
      Object.assign(secret, { revokedFrom: null, revokedBy: null })
      return view(secret)
    },
    rotateSecret: ({ keyId, overlapSeconds }: { keyId: string; overlapSeconds?: number | null }) => {
      const old = known(keyId)
      if (!old.project || !old.integration) refuse('NOT_BOUND', 'Only a secret that is bound can be rotated.')
      const { generated, record } = newSecret(db, old.environment.handle, old.project.handle, old.integration.handle)
      record.rotates = keyId
      old.rotatedBy = record.keyId
      old.expiresAt = iso(overlapSeconds ?? 7 * DAY_S)
      setTimeout(() => {
        const runtime = users(keyId).find((each) => !each.silent)
        if (!runtime) return
        runtime.secretKeyId = record.keyId
        record.lastUsedAt = iso(0)
        db.changed('REPORTED', runtime)
      }, FIRST_HEARTBEAT_MS)
      return { generated, old: view(old) }
    },
    setSecretExpiry: ({ keyId, expiresAt }: { keyId: string; expiresAt?: string | null }) => {
      const secret = known(keyId)
      if (expiresAt && Date.parse(expiresAt) <= Date.now()) {
        refuse('INVALID', 'The instant has passed.', {
          field: 'expiresAt',
          fix: 'Choose a later one, or revoke the secret.',
        })
      }
      secret.expiresAt = expiresAt ?? null
      return view(secret)
    },
    deleteRuntime: ({ id, revokeSecret }: { id: string; revokeSecret?: boolean | null }) => {
      const index = db.runtimes.findIndex((each) => each.id === id)
      const runtime = db.runtimes[index]
      if (!runtime) refuse('NOT_FOUND', 'There is no such runtime.')
      db.runtimes.splice(index, 1)
      db.changed('REMOVED', runtime)
      const keyId = runtime.secretKeyId ?? ''
      const orphaned = db.secrets.find((each) => each.keyId === keyId && users(keyId).length === 0)
      const revoked = Boolean(orphaned && revokeSecret)
      if (orphaned && revoked) Object.assign(orphaned, { revokedFrom: iso(0), revokedBy: 'admin' })
      if (!revoked && !runtime.silent) {
        setTimeout(() => {
          db.runtimes.push({ ...runtime, cameAt: iso(0), registeredAt: iso(0) })
          db.changed('REGISTERED', runtime)
        }, BACK_MS)
      }
      return { deleted: true, orphanedKeyId: orphaned?.keyId ?? null, secretRevoked: revoked }
    },
  }
}

function stateOf({ revokedFrom, expiresAt }: SecretRecord): api.SecretState {
  const now = Date.now()
  if (revokedFrom) return Date.parse(revokedFrom) <= now ? 'REVOKED' : 'REVOKING'
  if (!expiresAt) return 'ACTIVE'
  if (Date.parse(expiresAt) <= now) return 'EXPIRED'
  return Date.parse(expiresAt) < now + 7 * DAY_S * 1_000 ? 'EXPIRING' : 'ACTIVE'
}

function newSecret(db: Db, inEnvironment: string, inProject?: string | null, inIntegration?: string | null) {
  const environment = db.environments.find((each) => each.handle === inEnvironment)
  if (!environment) refuse('NOT_FOUND', 'There is no such environment.', { field: 'environment' })
  const target = db.integrations.find((each) => each.project === inProject && each.handle === inIntegration)
  const keyId = `k${Math.random().toString(36).slice(2, 9)}`
  const secret = `${keyId}.${Math.random().toString(36).slice(2).padEnd(43, 'mock')}`
  const record: SecretRecord = {
    keyId,
    environment,
    project: db.projects.find((each) => each.handle === target?.project) ?? null,
    integration: target ?? null,
    bound: Boolean(target),
    createdAt: iso(0),
    createdBy: 'admin',
    boundAt: target ? iso(0) : null,
    lastUsedAt: null,
    ...unending,
  }
  db.secrets.unshift(record)
  const configToml = `[wso2.icp.runtime.bridge]
environment = "${environment.handle}"
project = "${inProject ?? '<project-name>'}"
integration = "${inIntegration ?? '<integration-name>'}"
runtime = "<unique-runtime-name>"
secret = "${secret}"
# serverUrl = "https://<hostname>:9445"
`
  return { generated: { keyId, secret, configToml, environment }, record, target }
}

function generateSecret(db: Db, input: api.GenerateSecretInput) {
  const { generated, record, target } = newSecret(db, input.environment, input.project, input.integration)
  record.expiresAt = input.expiresAt ?? null
  setTimeout(() => {
    const integration = target ?? db.integrations[0]
    if (!integration) return
    const runtime = makeRuntime(db, integration, input.environment, `my-laptop-${generated.keyId.slice(1, 4)}`, 1)
    runtime.secretKeyId = generated.keyId
    runtime.cameAt = iso(0)
    db.runtimes.push(runtime)
    db.changed('REGISTERED', runtime)
  }, FIRST_HEARTBEAT_MS)
  return generated
}
