import type { Methods } from '@/api/session'
import { password as words } from '@/strings/account'

export type PasswordDraft = { current: string; next: string; again: string }
export type PasswordRules = Methods['passwordRules']

/** What is wrong with which field; empty fields are only wrong once somebody tried. */
export function wrongWith(
  { current, next, again }: PasswordDraft,
  { lengthMin, lengthMax }: PasswordRules,
  tried: boolean,
): Partial<PasswordDraft> {
  const wrong: Partial<PasswordDraft> = {}
  // The rule counts characters as people do, not the halves that JavaScript counts.
  const length = [...next].length
  if (tried && !current) wrong.current = words.needCurrent
  if (next || tried) {
    if (length < lengthMin) wrong.next = words.tooShort(lengthMin)
    else if (length > lengthMax) wrong.next = words.tooLong(lengthMax)
    else if (next === current) wrong.next = words.same
  }
  if ((again || tried) && again !== next) wrong.again = words.differs
  return wrong
}
