/** Pages that are there and not open to the viewer: whose permission is missing, and whom to ask. */
export const closed = {
  /** What pages show whose title would begin no sentence. */
  what: { audit: 'Audit records', sso: 'Mappings of single sign-on' },
  title: (what: string) => `${what} are not open to you`,
  titleIn: (what: string, place: string) => `${what} are not open to you in ${place}`,
  lead: (username: string, permission: string) =>
    `Nothing is broken: \`${username}\` does not hold the permission \`${permission}\`, which this page needs.`,
  leadIn: (username: string, permission: string, place: string) =>
    `Nothing is broken: \`${username}\` does not hold the permission \`${permission}\` in ${place}, which this page needs.`,
  ask: 'Ask a Super Admin (a member of the group Super Admins), or who administers the project, to map a role that contains it to one of your groups. Send them this:',
  request: (permission: string, place: string, username: string, groups: string, url: string) =>
    `Please map a role with ${permission} (${place}) to one of my groups${groups}. I am ${username}: ${url}`,
  groups: (names: string[]) => (names.length > 0 ? ` (${names.join(', ')})` : ''),
  everywhere: 'where I work',
  send: 'What to send',
  again: 'Look again',
  held: 'What you may do',
}
