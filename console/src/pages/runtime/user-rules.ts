import { runtime } from '@/strings/runtimes'

const words = runtime.users
const NAME = /^[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,63}$/
const DOMAIN = /^[A-Za-z0-9_.-]{1,64}$/
const PASSWORD = /^[^\s\p{C}]{8,128}$/u
const OWN_ACCOUNTS = new Set(['icp-artifact-fetcher', 'icp-service'])

export type UserDraft = { name: string; password: string; again: string }
export type UserFaults = { name?: string; password?: string; again?: string }

/** What is wrong with a new user, by field; nothing when it can be sent. */
export function faultsOf({ name, password, again }: UserDraft): UserFaults {
  const faults: UserFaults = {}
  if (!NAME.test(name)) faults.name = words.badName
  else if (OWN_ACCOUNTS.has(name)) faults.name = words.ownAccount
  if (!PASSWORD.test(password)) faults.password = words.badPassword
  else if (password.toLowerCase() === name.toLowerCase()) faults.password = words.sameAsName
  if (again !== password) faults.again = words.differ
  return faults
}

/** Why a listed user cannot be removed from here, or undefined. */
export function unremovable(listed: string): string | undefined {
  const slash = listed.lastIndexOf('/')
  const name = listed.slice(slash + 1)
  if (OWN_ACCOUNTS.has(name)) return words.ownAccount
  return NAME.test(name) && (slash < 0 || DOMAIN.test(listed.slice(0, slash))) ? undefined : words.elsewhere
}
