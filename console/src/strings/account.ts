/** Signing in, the own account, tokens and devices. */
export const problems: Record<string, { message: string; fix: string }> = {
  SESSION_ENDED: {
    message: 'Your session has ended.',
    fix: 'Sign in again; you continue where you were.',
  },
  SIGNED_OUT_EVERYWHERE: { message: 'You are signed out everywhere.', fix: 'Sign in again where you need it.' },
  PROVIDER_UNAVAILABLE: {
    message: 'The identity provider does not answer.',
    fix: 'Try again in a minute, or sign in with a password of this console.',
  },
  OIDC_REFUSED: {
    message: 'The identity provider did not prove who you are.',
    fix: 'Begin the sign-in again, in this browser and within ten minutes. If it stays so, the cause stands in the audit.',
  },
  NOT_ADMITTED: {
    message:
      'The identity provider knows you, but you are not admitted here: none of your groups there leads to one here.',
    fix: 'Ask a Super Admin to map one of them.',
  },
  NAME_TAKEN: {
    message: 'Somebody else has your user name here.',
    fix: 'Ask a Super Admin to delete that user, or the identity provider for another name.',
  },
  USER_DISABLED: { message: 'Your account here is disabled.', fix: 'Ask a Super Admin to enable it.' },
  TOO_MANY_ATTEMPTS: { message: 'Too many sign-ins came from your address.', fix: 'Wait a minute, then try again.' },
  STORAGE_UNAVAILABLE: { message: 'The control plane cannot reach its database.', fix: 'Try again in a minute.' },
  STORAGE_REFUSED: {
    message: 'The database refuses the control plane.',
    fix: 'Tell who runs it: the log and /readyz name the reason.',
  },
}

export const otherProblem = (code: string) => ({
  message: `The sign-in did not work: ${code}.`,
  fix: 'Try again; if it stays so, give this code to a Super Admin.',
})

export const ways = {
  with: (name: string) => `Sign in with ${name}`,
  or: 'or with a password of this console',
  directory: 'Passwords of your directory work here, too.',
  none: 'No way to sign in is set up',
  noneText: 'Ask who runs this control plane to set up passwords, a directory or an identity provider.',
  what: 'the ways to sign in',
}

export const password = {
  title: 'Change password',
  dueLead: 'Choose a password of your own',
  dueText: 'The one you signed in with was made for you and works once. Until it is changed, nothing else is open.',
  current: 'Current password',
  next: 'New password',
  again: 'New password again',
  rules: (min: number, max: number) => `${min} to ${max} characters.`,
  tooShort: (min: number) => `Use at least ${min} characters.`,
  tooLong: (max: number) => `Use at most ${max} characters.`,
  same: 'Choose another one than the current.',
  differs: 'The two are not alike.',
  needCurrent: 'Enter the current password.',
  submit: 'Change password',
  done: 'Your password is changed; your other sessions have ended.',
  elsewhere: (method: string) => `You sign in by ${method}: your password is changed there.`,
}

export const device = {
  title: 'Allow a command line',
  lead: 'A command line asks to act as you.',
  code: 'Code',
  codeHint: 'Eight letters, as the command line shows them.',
  look: 'Look up',
  unknown: 'This code is wrong, used or too old.',
  unknownFix: 'Compare it with the command line, or begin there again with `pilothouse login`.',
  client: 'Client',
  address: 'Address',
  asked: 'Asked',
  ends: 'Ends in',
  warning: 'Allow it only if you began this yourself and the code is the one that you see there.',
  allow: 'Allow',
  deny: 'Deny',
  allowed: 'Allowed',
  allowedText: 'The command line goes on by itself. You can close this page; its session is on your profile.',
  denied: 'Denied',
  deniedText: 'The command line gets nothing.',
  another: 'Another code',
}

export const profile = {
  title: 'Profile',
  about: 'You',
  facts: { username: 'Username', email: 'E-mail', method: 'Signs in by', groups: 'Groups' },
  methods: { password: 'password', oidc: 'single sign-on', ldap: 'directory', token: 'API token' } as Record<
    string,
    string
  >,
  noGroups: 'none: nothing is open to you yet',
  sessions: 'Sessions',
  sessionsWhat: 'the sessions',
  noSessions: 'No session is open',
  current: 'this one',
  end: 'End',
  endLabel: (client: string) => `End the session of ${client}`,
  ended: 'The session has ended.',
  endAll: 'Sign out everywhere',
  endAllTitle: 'Sign out everywhere?',
  endAllAbout: 'Every session of yours ends: browsers, scripts and command lines, this one too. API tokens stay.',
  endOthers: 'End all others',
  endedOthers: (count: number) => (count === 1 ? 'One session has ended.' : `${count} sessions have ended.`),
  columns: { client: 'Client', kind: 'Kind', address: 'Address', used: 'Last used', ends: 'Ends', actions: 'Actions' },
  kinds: { console: 'Console', script: 'Script', device: 'Command line' } as Record<string, string>,
}

export const tokens = {
  title: 'API tokens',
  what: 'the API tokens',
  text: 'For scripts: what a token may do is never more than what its owner may.',
  create: 'Create token',
  emptyTitle: 'There is no token yet',
  emptyText: 'With one, a script or the command line acts as you: `Authorization: Bearer pht_…`.',
  ended: 'Show ended ones',
  columns: {
    name: 'Token',
    state: 'State',
    carries: 'Carries',
    used: 'Last used',
    ends: 'Expires',
    actions: 'Actions',
  },
  states: { ACTIVE: 'Active', EXPIRED: 'Expired', REVOKED: 'Revoked' },
  all: 'all that its owner holds',
  never: 'never',
  name: 'Name',
  nameHint: 'What it is for: it stands in the audit.',
  needName: 'Enter a name.',
  expiry: 'Expires',
  expiries: { 7: 'in 7 days', 30: 'in 30 days', 90: 'in 90 days', 365: 'in a year' } as Record<number, string>,
  limit: 'What it carries',
  limitAll: 'All that I hold, now and later',
  limitSome: 'Only these permissions',
  needPermission: 'Choose at least one permission.',
  once: 'This token is shown once.',
  onceText: 'Copy it now: it cannot be shown again.',
  copied: 'It is on the clipboard.',
  revoke: 'Revoke',
  revokeLabel: (name: string) => `Revoke ${name}`,
  revokeTitle: (name: string) => `Revoke ${name}?`,
  revokeAbout: 'Whatever uses it is refused from now on. This cannot be taken back.',
  revoked: (name: string) => `Token ${name} is revoked.`,
}

export const stranger = {
  title: 'Nothing is open to you yet',
  lead: (name: string) => `You are signed in as ${name}, but no role leads you anywhere.`,
  ask: 'Ask a Super Admin of this control plane (a member of the group Super Admins) to put you into a group. Send them this:',
  request: (username: string, url: string) => `Please put the user ${username} into a group at ${url}`,
  copy: 'What to send',
  again: 'Look again',
}
