import type * as api from '../src/api/generated/schema'
import { connection, type Db, iso, type PageArguments } from './db'
import { type GroupRecord, type MappingRecord, type RoleRecord, refs, type Scope, type UserRecord } from './people'
import { contained, GRANTABLE, MEANINGS } from './permissions'
import { refuse } from './refuse'

type Listing = PageArguments & { search?: string | null; sort?: api.Sort | null }
type Named = { name: string; createdAt: string }

/** In the order that is asked for. */
export function sorted<Row>(rows: Row[], sort: api.Sort | null | undefined, of: (row: Row) => Named): Row[] {
  const byName = (a: Row, b: Row) => of(a).name.localeCompare(of(b).name)
  const byAge = (a: Row, b: Row) => (of(a).createdAt < of(b).createdAt ? -1 : 1)
  const inOrder = [...rows].sort(sort === 'NEWEST' || sort === 'OLDEST' ? byAge : byName)
  return sort === 'NAME_DESCENDING' || sort === 'NEWEST' ? inOrder.reverse() : inOrder
}

export const matches = (search: string | null | undefined, ...texts: (string | null | undefined)[]) =>
  !search || texts.join(' ').toLowerCase().includes(search.toLowerCase())

/** Users, groups, roles, their mappings, and who may do what. */
export function accessRoot(db: Db) {
  const { people } = db
  const groupRef = (id: string) => people.groups.find((each) => each.id === id)
  const userOf = (id: string): UserRecord =>
    people.users.find((each) => each.id === id) ?? refuse('NOT_FOUND', 'There is no such user.')
  const groupOf = (id: string): GroupRecord => groupRef(id) ?? refuse('NOT_FOUND', 'There is no such group.')
  const roleOf = (id: string): RoleRecord =>
    people.roles.find((each) => each.id === id) ?? refuse('NOT_FOUND', 'There is no such role.')
  const mapping = (record: MappingRecord) => ({
    ...record,
    group: groupRef(record.group),
    role: roleOf(record.role),
    scope: refs(db, record.scope),
    removable: record.id !== 'm-1',
  })
  const user = (record: UserRecord) => ({
    ...record,
    isSuperAdmin: people.isSuperAdmin(record.id),
    groups: people.groupsOf(record.id),
    mappings: people.mappingsOf(record.id).map(mapping),
  })
  const group = (record: GroupRecord) => ({
    ...record,
    project: refs(db, { project: record.project }).project,
    memberCount: record.members.length,
    members: ({ search, ...page }: Listing) =>
      connection(
        record.members
          .map((member) => ({ ...member, user: userOf(member.user) }))
          .filter((member) => matches(search, member.user.username, member.user.displayName)),
        page,
      ),
    mappings: (page: PageArguments) =>
      connection(people.mappings.filter((each) => each.group === record.id).map(mapping), page),
  })
  const role = (record: RoleRecord) => {
    const mapped = people.mappings.filter((each) => each.role === record.id)
    return {
      ...record,
      groupCount: new Set(mapped.map((each) => each.group)).size,
      mappings: (page: PageArguments) => connection(mapped.map(mapping), page),
    }
  }
  const decision = (permission: api.Permission, place: Scope, of: UserRecord) => {
    const grant = ({ mapping: step, by }: { mapping: MappingRecord; by: api.Permission }) => ({
      ...mapping(step),
      mapping: step.id,
      by,
    })
    const decided = people.decide(of, permission, place)
    return {
      ...decided,
      permission,
      place: refs(db, place),
      through: decided.through.map(grant),
      elsewhere: decided.elsewhere.map(grant),
    }
  }
  const freeName = (rows: { id: string; name: string }[], name: string, own?: string) => {
    if (!name.trim()) refuse('INVALID', 'Enter a name.', { field: 'name' })
    if (rows.some((each) => each.name === name && each.id !== own))
      refuse('NAME_TAKEN', `${name} is taken.`, { field: 'name', fix: 'Choose another name.' })
  }
  const named = ({ name, createdAt }: Named) => ({ name, createdAt })
  const made = () => ({ createdAt: iso(0), createdBy: people.viewer })
  const drop = <Row extends { id: string }>(rows: Row[], id: string) => {
    const at = rows.findIndex((each) => each.id === id)
    if (at >= 0) rows.splice(at, 1)
    return at >= 0
  }

  return {
    permissions: () =>
      GRANTABLE.map((permission) => ({
        permission,
        name: permission.toLowerCase().replace('_mgt_', '_mgt:'),
        meaning: MEANINGS[permission],
        contains: contained(permission).slice(1),
      })),
    users: ({ filter, sort, ...page }: Listing & { filter?: api.UserFilter | null }) =>
      connection(
        sorted(
          people.users.filter(
            (each) =>
              matches(filter?.search, each.username, each.displayName, each.email) &&
              (!filter?.kind || each.kind === filter.kind) &&
              (!filter?.state || each.state === filter.state) &&
              (!filter?.group || groupRef(filter.group)?.members.some((member) => member.user === each.id)),
          ),
          sort,
          ({ username, createdAt }) => ({ name: username, createdAt }),
        ).map(user),
        page,
      ),
    user: ({ id }: { id: string }) => people.users.filter((each) => each.id === id).map(user)[0] ?? null,
    groups: ({ search, sort, ...page }: Listing) =>
      connection(
        sorted(
          people.groups.filter((each) => matches(search, each.name)),
          sort,
          named,
        ).map(group),
        page,
      ),
    group: ({ id }: { id: string }) => people.groups.filter((each) => each.id === id).map(group)[0] ?? null,
    roles: ({ search, sort, ...page }: Listing) =>
      connection(
        sorted(
          people.roles.filter((each) => matches(search, each.name)),
          sort,
          named,
        ).map(role),
        page,
      ),
    role: ({ id }: { id: string }) => people.roles.filter((each) => each.id === id).map(role)[0] ?? null,
    ssoGroupMappings: (page: PageArguments) =>
      connection(
        people.sso.map((each) => ({ ...each, group: groupRef(each.group) })),
        page,
      ),
    access: ({ permission, place, user: of }: { permission: api.Permission; place?: Scope; user?: string }) =>
      decision(permission, place ?? {}, of ? userOf(of) : people.me),
    whoMay: ({ permission, place, ...page }: PageArguments & { permission: api.Permission; place?: Scope }) =>
      connection(
        people.users
          .filter((each) => each.state !== 'DISABLED')
          .map((each) => decision(permission, place ?? {}, each))
          .filter((each) => each.allowed),
        page,
      ),
    createUser: ({ input }: { input: api.CreateUserInput }) => {
      if (!/^[a-z0-9._@-]{1,100}$/.test(input.username))
        refuse('INVALID', 'Use lower-case letters, digits, `.`, `_`, `-` and `@`, 1 to 100.', { field: 'username' })
      if (people.users.some((each) => each.username === input.username))
        refuse('NAME_TAKEN', `${input.username} is taken.`, { field: 'username' })
      const isService = input.kind === 'SERVICE'
      const record: UserRecord = {
        id: people.id('u'),
        username: input.username,
        displayName: input.displayName,
        email: input.email ?? null,
        kind: input.kind ?? 'PERSON',
        state: isService ? 'ACTIVE' : 'MUST_CHANGE_PASSWORD',
        issuer: isService ? null : 'password',
        lastSignInAt: null,
        password: 'Tz4-kW9-first',
        ...made(),
      }
      people.users.push(record)
      for (const id of input.groups ?? [])
        groupOf(id).members.push({ user: record.id, addedAt: iso(0), fromSso: false })
      people.record('user.create', `user:${record.username}`, 'Created.')
      return { user: user(record), oneTimePassword: isService || input.password ? null : record.password }
    },
    updateUser: ({ id, input }: { id: string; input: api.UpdateUserInput }) => {
      const record = userOf(id)
      if (input.disabled && people.isSuperAdmin(id) && people.me.id === id)
        refuse('LAST_SUPER_ADMIN', 'You cannot disable yourself.', { fix: 'Ask another Super Admin.' })
      if (input.displayName) record.displayName = input.displayName
      if (input.email !== undefined) record.email = input.email
      if (input.disabled != null) record.state = input.disabled ? 'DISABLED' : 'ACTIVE'
      return user(record)
    },
    deleteUser: ({ id }: { id: string }) => {
      if (people.me.id === id) refuse('INVALID', 'You cannot delete yourself.', { fix: 'Ask another Super Admin.' })
      for (const each of people.groups) each.members = each.members.filter((member) => member.user !== id)
      return drop(people.users, id)
    },
    resetPassword: ({ user: id }: { user: string }) => {
      userOf(id).state = 'MUST_CHANGE_PASSWORD'
      return { password: 'mV7-q2x-again' }
    },
    unlockUser: ({ id }: { id: string }) => Boolean(userOf(id)),
    setUserGroups: ({ user: id, groups }: { user: string; groups: string[] }) => {
      for (const each of people.groups) {
        const isIn = each.members.some((member) => member.user === id)
        if (isIn && !groups.includes(each.id)) each.members = each.members.filter((member) => member.user !== id)
        if (!isIn && groups.includes(each.id)) each.members.push({ user: id, addedAt: iso(0), fromSso: false })
      }
      return user(userOf(id))
    },
    createGroup: ({ input }: { input: api.GroupInput }) => {
      freeName(people.groups, input.name)
      const description = input.description ?? ''
      const record = { id: people.id('g'), name: input.name, description, builtIn: false, project: null, members: [] }
      people.groups.push({ ...record, ...made() })
      people.record('group.create', `group:${input.name}`, 'Created.')
      return group(groupOf(record.id))
    },
    updateGroup: ({ id, input }: { id: string; input: api.GroupInput }) => {
      freeName(people.groups, input.name, id)
      return group(Object.assign(groupOf(id), { name: input.name, description: input.description ?? '' }))
    },
    deleteGroup: ({ id, cascade }: { id: string; cascade?: boolean | null }) => {
      const mapped = people.mappings.filter((each) => each.group === id)
      if (mapped.length > 0 && !cascade)
        refuse('IN_USE', `${mapped.length} roles are mapped to it.`, { fix: 'Unmap them, or delete them with it.' })
      for (const each of mapped) drop(people.mappings, each.id)
      return drop(people.groups, id)
    },
    addGroupMembers: ({ group: id, users }: { group: string; users: string[] }) => {
      const record = groupOf(id)
      for (const each of users)
        if (!record.members.some((member) => member.user === each))
          record.members.push({ user: each, addedAt: iso(0), fromSso: false })
      return group(record)
    },
    removeGroupMembers: ({ group: id, users }: { group: string; users: string[] }) => {
      const record = groupOf(id)
      if (id === 'g-super' && record.members.every((member) => users.includes(member.user)))
        refuse('LAST_SUPER_ADMIN', 'At least one active Super Admin remains.', { fix: 'Make somebody else one first.' })
      record.members = record.members.filter((member) => !users.includes(member.user))
      return group(record)
    },
    createRole: ({ input }: { input: api.RoleInput }) => {
      freeName(people.roles, input.name)
      const { name, permissions } = input
      const record = { id: people.id('r'), name, description: input.description ?? '', permissions, builtIn: false }
      people.roles.push({ ...record, ...made() })
      return role(roleOf(record.id))
    },
    updateRole: ({ id, input }: { id: string; input: api.RoleInput }) => {
      freeName(people.roles, input.name, id)
      return role(Object.assign(roleOf(id), { ...input, description: input.description ?? '' }))
    },
    deleteRole: ({ id }: { id: string }) => {
      if (people.mappings.some((each) => each.role === id))
        refuse('IN_USE', 'It is mapped to groups.', { fix: 'Unmap it first.' })
      return drop(people.roles, id)
    },
    mapRole: ({ input }: { input: api.MapRoleInput }) => {
      const scope: Scope = input.scope ?? {}
      const missing = roleOf(input.role).permissions.filter((each) => !people.holds(each, scope))
      if (missing.length > 0)
        refuse('NOT_PERMITTED', `You do not hold ${missing[0]} there yourself.`, {
          fix: 'Nobody grants what they do not hold.',
        })
      const record = { id: people.id('m'), group: input.group, role: input.role, scope, ...made() }
      people.mappings.push(record)
      people.record('role_mapping.create', `group:${groupOf(input.group).name}`, roleOf(input.role).name)
      return mapping(record)
    },
    unmapRole: ({ id }: { id: string }) => drop(people.mappings, id),
    createSsoGroupMapping: ({ input }: { input: api.SsoGroupMappingInput }) => {
      if (!input.value.trim()) refuse('INVALID', 'Enter the group of the provider.', { field: 'value' })
      const { issuer, claim } = people.sso[0] ?? { issuer: 'https://sso.example', claim: 'groups' }
      const record = {
        id: people.id('sso'),
        issuer: input.issuer || issuer,
        claim: input.claim || claim,
        value: input.value,
        group: input.group,
        ...made(),
      }
      people.sso.push(record)
      return { ...record, group: groupRef(record.group) }
    },
    deleteSsoGroupMapping: ({ id }: { id: string }) => drop(people.sso, id),
  }
}
