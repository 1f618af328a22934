import type * as api from '../src/api/generated/schema'
import type { GroupRecord, MappingRecord, RoleRecord, SessionRecord, TokenRecord, UserRecord } from './people'
import { GRANTABLE } from './permissions'

const DAY = 86_400
const iso = (offsetS: number) => new Date(Date.now() + offsetS * 1_000).toISOString()
const ISSUER = 'https://sso.example/realms/acme'

/** The user name, what they are called, their groups and what is special about them. */
const USERS: [string, string, string[], Partial<UserRecord>?][] = [
  ['admin', 'Administrator', ['g-super']],
  ['ada', 'Ada Byron', ['g-super', 'g-admins'], { issuer: ISSUER }],
  ['grace', 'Grace Lee', ['g-admins'], { issuer: ISSUER }],
  ['dora', 'Dora Meyer', ['g-orders']],
  ['emil', 'Emil Novak', ['g-devs', 'g-billing']],
  ['vera', 'Vera Lind', ['g-readers']],
  ['stan', 'Stan Ode', []],
  ['lars', 'Lars Moe', ['g-support']],
  ['mina', 'Mina Sato', ['g-capacity']],
  ['otto', 'Otto First', ['g-readers'], { state: 'MUST_CHANGE_PASSWORD', lastSignInAt: null }],
  ['lena', 'Lena Roth', ['g-devs'], { state: 'DISABLED' }],
  ['ci-deploy', 'CI deploy', ['g-devs'], { kind: 'SERVICE', issuer: null, lastSignInAt: null }],
]

const GROUPS: [string, string, string, boolean, string | null][] = [
  ['g-super', 'Super Admins', 'At least one person stays in it.', true, null],
  ['g-admins', 'Administrators', 'Run the organization.', true, null],
  ['g-devs', 'Developers', 'Build and steer integrations.', true, null],
  ['g-orders', 'Order Team', 'Everything around orders.', false, null],
  ['g-billing', 'Billing Admins', '', false, 'billing'],
  ['g-readers', 'Readers', 'See everything, change nothing.', false, null],
  ['g-support', 'Support', 'Read what programs say.', false, null],
  ['g-capacity', 'Capacity', 'Watch how much is used.', false, null],
]

const ROLES: [string, string, string, api.Permission[]][] = [
  ['r-super', 'Super Admin', 'Everything, everywhere.', GRANTABLE],
  [
    'r-admin',
    'Admin',
    'Everything but users, groups and roles.',
    GRANTABLE.filter((each) => !each.startsWith('USER_MGT')),
  ],
  [
    'r-dev',
    'Developer',
    'Changes, steers and tries out integrations; manages environments that are not critical.',
    [
      'INTEGRATION_MGT_EDIT',
      'INTEGRATION_MGT_TRY',
      'ENVIRONMENT_MGT_MANAGE_NONPROD',
      'PROJECT_MGT_EDIT',
      'OBSERVABILITY_MGT_VIEW_LOGS',
      'OBSERVABILITY_MGT_VIEW_INSIGHTS',
      'WORKFLOW_MGT_MANAGE_HUMAN_TASKS',
      'WORKFLOW_MGT_VIEW_WORKFLOWS',
    ],
  ],
  [
    'r-project',
    'Project Admin',
    'Manages a project, its integrations, and who may do what in it.',
    [
      'ALERT_MGT_MANAGE',
      'INTEGRATION_MGT_MANAGE',
      'INTEGRATION_MGT_TRY',
      'OBSERVABILITY_MGT_VIEW_INSIGHTS',
      'OBSERVABILITY_MGT_VIEW_LOGS',
      'PROJECT_MGT_MANAGE',
      'USER_MGT_UPDATE_GROUP_ROLES',
      'WORKFLOW_MGT_MANAGE_HUMAN_TASKS',
      'WORKFLOW_MGT_MANAGE_WORKFLOWS',
    ],
  ],
  [
    'r-viewer',
    'Viewer',
    'Sees projects, integrations, logs and metrics.',
    [
      'INTEGRATION_MGT_VIEW',
      'PROJECT_MGT_VIEW',
      'OBSERVABILITY_MGT_VIEW_LOGS',
      'OBSERVABILITY_MGT_VIEW_INSIGHTS',
      'WORKFLOW_MGT_VIEW_HUMAN_TASKS',
    ],
  ],
  ['r-logs', 'Log reader', '', ['INTEGRATION_MGT_VIEW', 'PROJECT_MGT_VIEW', 'OBSERVABILITY_MGT_VIEW_LOGS']],
  ['r-figures', 'Figures', '', ['INTEGRATION_MGT_VIEW', 'PROJECT_MGT_VIEW', 'OBSERVABILITY_MGT_VIEW_INSIGHTS']],
  ['r-night', 'Night shift', 'Restarts what stands still.', ['INTEGRATION_MGT_EDIT', 'PROJECT_MGT_VIEW']],
]

const MAPPINGS: [string, string, MappingRecord['scope']][] = [
  ['g-super', 'r-super', {}],
  ['g-admins', 'r-admin', {}],
  ['g-devs', 'r-dev', { environment: 'dev' }],
  ['g-devs', 'r-viewer', {}],
  ['g-orders', 'r-dev', { project: 'order-service' }],
  ['g-billing', 'r-project', { project: 'billing' }],
  ['g-readers', 'r-viewer', {}],
  ['g-support', 'r-logs', {}],
  ['g-capacity', 'r-figures', {}],
]

export function seedPeople() {
  const made = { createdAt: iso(-60 * DAY), createdBy: 'admin' }
  const users: UserRecord[] = USERS.map(([username, displayName, , special], index) => ({
    id: `u-${username}`,
    username,
    displayName,
    email: special?.kind === 'SERVICE' ? null : `${username}@acme.example`,
    kind: 'PERSON',
    state: 'ACTIVE',
    issuer: 'password',
    lastSignInAt: iso(-3_600 * (index * 5 + 1)),
    password: 'pilothouse',
    ...made,
    ...special,
  }))
  const groups: GroupRecord[] = GROUPS.map(([id, name, description, builtIn, project]) => ({
    id,
    name,
    description,
    builtIn,
    project,
    ...made,
    members: USERS.filter(([, , groupIds]) => groupIds.includes(id)).map(([username, , , special]) => ({
      user: `u-${username}`,
      addedAt: iso(-20 * DAY),
      fromSso: special?.issuer === ISSUER,
    })),
  }))
  const roles: RoleRecord[] = ROLES.map(([id, name, description, permissions]) => ({
    id,
    name,
    description,
    permissions,
    builtIn: !['r-logs', 'r-figures', 'r-night'].includes(id),
    ...made,
  }))
  const mappings: MappingRecord[] = MAPPINGS.map(([group, role, scope], index) => ({
    id: `m-${index + 1}`,
    group,
    role,
    scope,
    ...made,
  }))
  const sso = [{ id: 'sso-1', issuer: ISSUER, claim: 'groups', value: 'platform-admins', group: 'g-admins', ...made }]
  return { users, groups, roles, mappings, sso, tokens: seedTokens(), sessions: seedSessions(), devices: seedDevices() }
}

function seedTokens(): TokenRecord[] {
  const base = { createdBy: 'admin', lastUsedAddress: '10.0.9.4', revokedAt: null, revokedBy: null }
  return [
    {
      ...base,
      id: 't-1',
      name: 'nightly report',
      owner: 'u-admin',
      hint: 'pht_7Kq2',
      state: 'ACTIVE',
      permissions: ['INTEGRATION_MGT_VIEW'],
      createdAt: iso(-30 * DAY),
      expiresAt: iso(60 * DAY),
      lastUsedAt: iso(-4_000),
    },
    {
      ...base,
      id: 't-2',
      name: 'old laptop',
      owner: 'u-admin',
      hint: 'pht_b01Z',
      state: 'EXPIRED',
      permissions: null,
      createdAt: iso(-100 * DAY),
      expiresAt: iso(-10 * DAY),
      lastUsedAt: iso(-12 * DAY),
    },
  ]
}

function seedSessions(): SessionRecord[] {
  return [
    ['s-1', 'console', 'Mozilla/5.0 (X11; Linux x86_64) Chrome/141', '10.0.7.2', -600],
    ['s-2', 'device', 'pilothouse 0.1.0', '10.0.7.31', -86_400],
  ].map(([id, kind, userAgent, address, usedS]) => ({
    id: String(id),
    kind: String(kind),
    user: 'u-admin',
    method: 'password',
    createdAt: iso(-2 * DAY),
    lastUsedAt: iso(Number(usedS)),
    expiresAt: iso(0.4 * DAY),
    address: String(address),
    userAgent: String(userAgent),
  }))
}

function seedDevices(): api.DeviceRequest[] {
  return [
    {
      userCode: 'BCDF-GHJK',
      client: 'pilothouse 0.1.0 on build-7',
      address: '10.0.9.4',
      createdAt: iso(-30),
      expiresAt: iso(570),
      allowed: null,
    },
  ]
}

/** Newest first; every kind of outcome, with and without what changed. */
export function seedAudit(): api.AuditRecord[] {
  const rows: [string, string, string, api.AuditOutcome, string, object?, object?][] = [
    ['user:ada', 'user.sign_in', 'user:ada', 'DONE', 'Signed in by oidc.'],
    ['user:mallory', 'user.sign_in', 'user:mallory', 'REFUSED', 'The name or the password was wrong.'],
    [
      'user:admin',
      'environment.update',
      'environment:staging',
      'DONE',
      'Changed 1 field.',
      { critical: false, displayName: 'Stage' },
      { critical: false, displayName: 'Staging' },
    ],
    ['user:emil', 'project.delete', 'project:billing', 'REFUSED', 'project_mgt:manage is missing.'],
    [
      'secret:kp3v8n1t',
      'integration.create',
      'integration:billing/dunning',
      'DONE',
      'Announced by its first heartbeat.',
    ],
    [
      'user:ada',
      'role_mapping.create',
      'group:Order Team',
      'DONE',
      'Developer in order-service.',
      undefined,
      { role: 'Developer', group: 'Order Team', project: 'order-service' },
    ],
    ['housekeeping', 'event.prune', 'events', 'DONE', 'Deleted 1204 events older than 30 days.'],
  ]
  return Array.from({ length: 63 }, (_, index) => {
    const [actor, action, target, outcome, detail, before, after] = rows[index % rows.length] as (typeof rows)[number]
    const number = 63 - index
    return {
      number,
      at: iso(-index * 1_900 - 40),
      actor,
      actorId: null,
      via: actor.startsWith('user:') ? 'session' : actor.startsWith('secret:') ? 'heartbeat' : 'local',
      credentialId: null,
      action,
      target,
      outcome,
      address: actor === 'housekeeping' ? null : '10.0.7.2',
      detail,
      before: before ? JSON.stringify(before) : null,
      after: after ? JSON.stringify(after) : null,
      digest: (number * 7_919).toString(16).padStart(64, '0'),
    }
  })
}
