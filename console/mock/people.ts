import type * as api from '../src/api/generated/schema'
import type { Db } from './db'
import { contained, GRANTABLE } from './permissions'
import { seedAudit, seedPeople } from './seed-people'

export type UserRecord = Pick<
  api.User,
  'id' | 'username' | 'displayName' | 'email' | 'kind' | 'state' | 'issuer' | 'createdAt' | 'createdBy' | 'lastSignInAt'
> & { password: string }
export type GroupRecord = Pick<api.Group, 'id' | 'name' | 'description' | 'builtIn' | 'createdAt' | 'createdBy'> & {
  project: string | null
  members: { user: string; addedAt: string; fromSso: boolean }[]
}
export type RoleRecord = Pick<
  api.Role,
  'id' | 'name' | 'description' | 'builtIn' | 'permissions' | 'createdAt' | 'createdBy'
>
/** As in PlaceInput: what is left out is not limited. */
export type Scope = { project?: string | null; integration?: string | null; environment?: string | null }
export type MappingRecord = {
  id: string
  group: string
  role: string
  scope: Scope
  createdAt: string
  createdBy: string
}
export type TokenRecord = Omit<api.ApiToken, 'owner'> & { owner: string }
export type SessionRecord = Omit<api.Session, 'current'> & { user: string }

const SUPER = 'r-super'

/** Whether a scope covers all of a place. */
function covers(scope: Scope, place: Scope): boolean {
  return (
    (!scope.project || scope.project === place.project) &&
    (!scope.integration || scope.integration === place.integration) &&
    (!scope.environment || scope.environment === place.environment)
  )
}

/** Whether a scope and a place have anything in common. */
function touches(scope: Scope, place: Scope): boolean {
  const meets = (one?: string | null, other?: string | null) => !one || !other || one === other
  return (
    meets(scope.project, place.project) &&
    meets(scope.integration, place.integration) &&
    meets(scope.environment, place.environment)
  )
}

/** Users, groups, roles and mappings, and what follows from them. */
export class People {
  readonly users: UserRecord[]
  readonly groups: GroupRecord[]
  readonly roles: RoleRecord[]
  readonly mappings: MappingRecord[]
  readonly sso: (Omit<api.SsoGroupMapping, 'group'> & { group: string })[]
  readonly tokens: TokenRecord[]
  readonly sessions: SessionRecord[]
  readonly devices: api.DeviceRequest[]
  readonly audit: api.AuditRecord[] = seedAudit()
  /** Who acts just now: the user name. */
  viewer = 'admin'
  private last = 100

  constructor() {
    const { users, groups, roles, mappings, sso, tokens, sessions, devices } = seedPeople()
    this.users = users
    this.groups = groups
    this.roles = roles
    this.mappings = mappings
    this.sso = sso
    this.tokens = tokens
    this.sessions = sessions
    this.devices = devices
  }

  id(kind: string): string {
    this.last += 1
    return `${kind}-${this.last}`
  }

  get me(): UserRecord {
    const found = this.users.find((each) => each.username === this.viewer)
    if (!found) throw new Error('Nobody of this name is signed in.')
    return found
  }

  groupsOf(user: string): GroupRecord[] {
    return this.groups.filter((group) => group.members.some((member) => member.user === user))
  }

  mappingsOf(user: string): MappingRecord[] {
    const groups = new Set(this.groupsOf(user).map((group) => group.id))
    return this.mappings.filter((mapping) => groups.has(mapping.group))
  }

  private gives(mapping: MappingRecord, permission: api.Permission): api.Permission | undefined {
    const role = this.roles.find((each) => each.id === mapping.role)
    return role?.permissions.find((each) => contained(each).includes(permission))
  }

  grants(user: string, permission: api.Permission) {
    return this.mappingsOf(user).flatMap((mapping) => {
      const by = this.gives(mapping, permission)
      return by ? [{ mapping, by }] : []
    })
  }

  holds(permission: api.Permission, place: Scope = {}, user = this.me.id): boolean {
    return permission === 'SIGNED_IN' || this.grants(user, permission).some((each) => covers(each.mapping.scope, place))
  }

  somewhere(permission: api.Permission, place: Scope = {}, user = this.me.id): boolean {
    return (
      permission === 'SIGNED_IN' || this.grants(user, permission).some((each) => touches(each.mapping.scope, place))
    )
  }

  permissionsIn(place: Scope): api.Permission[] {
    return ['SIGNED_IN' as const, ...GRANTABLE.filter((permission) => this.holds(permission, place))]
  }

  everything(): api.Permission[] {
    return ['SIGNED_IN' as const, ...GRANTABLE.filter((permission) => this.somewhere(permission))]
  }

  isSuperAdmin(user: string): boolean {
    return this.mappingsOf(user).some((mapping) => mapping.role === SUPER && covers(mapping.scope, {}))
  }

  decide(user: UserRecord, permission: api.Permission, place: Scope) {
    const grants = this.grants(user.id, permission)
    const through = grants.filter((each) => covers(each.mapping.scope, place))
    const elsewhere = grants.filter((each) => !covers(each.mapping.scope, place))
    const via = through[0] && this.groups.find((each) => each.id === through[0]?.mapping.group)
    const reason = via
      ? `As a member of ${via.name}.`
      : elsewhere.length > 0
        ? 'They hold it, but not in all of this place.'
        : 'No mapping of their groups gives it.'
    return { user, allowed: through.length > 0, reason, through, elsewhere }
  }

  /** Writes down what somebody did, as the control plane does in the transaction of every change. */
  record(action: string, target: string, detail: string, changed: { before?: object; after?: object } = {}): void {
    const number = (this.audit[0]?.number ?? 0) + 1
    this.audit.unshift({
      number,
      at: new Date().toISOString(),
      actor: `user:${this.viewer}`,
      actorId: this.me.id,
      via: 'session',
      credentialId: 's-1',
      action,
      target,
      outcome: 'DONE',
      address: '10.0.7.2',
      detail,
      before: changed.before ? JSON.stringify(changed.before) : null,
      after: changed.after ? JSON.stringify(changed.after) : null,
      digest: number.toString(16).padStart(64, '0'),
    })
  }
}

export function refs(db: Db, scope: Scope): api.Place {
  const project = db.projects.find((each) => each.handle === scope.project)
  const integration = db.integrations.find(
    (each) => each.handle === scope.integration && each.project === scope.project,
  )
  const environment = db.environments.find((each) => each.handle === scope.environment)
  return { project: project ?? null, integration: integration ?? null, environment: environment ?? null }
}
