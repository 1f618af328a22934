import type { AlertChannelInput, AlertChannelKind, AlertChannelRowFragment } from '@/api/generated/alerts'
import { channels } from '@/strings/alerts'

const words = channels.form

/** A channel while it is written. What is secret of a stored one is not known: left empty it stays. */
export type ChannelDraft = {
  name: string
  kind: AlertChannelKind
  url: string
  signingSecret: string
  routingKey: string
  to: string
}

type Field = 'url' | 'signingSecret' | 'routingKey' | 'to'

/** What each kind asks for. */
export const CHANNEL_FIELDS: Record<AlertChannelKind, readonly Field[]> = {
  WEBHOOK: ['url', 'signingSecret'],
  EMAIL: ['to'],
  SLACK: ['url'],
  TEAMS: ['url'],
  PAGERDUTY: ['routingKey'],
}
export const CHANNEL_KINDS = Object.keys(CHANNEL_FIELDS) as AlertChannelKind[]

export function newChannel(known?: Pick<AlertChannelRowFragment, 'name' | 'kind' | 'to'>): ChannelDraft {
  const { name = '', kind = 'WEBHOOK', to } = known ?? {}
  return { name, kind, url: '', signingSecret: '', routingKey: '', to: to?.join(', ') ?? '' }
}

/** Addresses, whatever stands between them. */
export function addresses(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))]
}

/** As the API takes it: only what its kind has a use for, and nothing where it stays as it is. */
export function channelInput(draft: ChannelDraft, id: string | null): AlertChannelInput {
  const has = (field: Field) => CHANNEL_FIELDS[draft.kind].includes(field)
  const given = (field: Exclude<Field, 'to'>) => (has(field) && draft[field].trim()) || null
  const to = addresses(draft.to)
  return {
    id,
    name: draft.name.trim(),
    kind: draft.kind,
    url: given('url'),
    signingSecret: given('signingSecret'),
    routingKey: given('routingKey'),
    to: has('to') && to.length > 0 ? to : null,
  }
}

export type ChannelFaults = Partial<Record<'name' | Field, string>>

export function channelFaults(draft: ChannelDraft, isNew: boolean): ChannelFaults {
  const needed = { url: words.needUrl, routingKey: words.needRoutingKey, to: words.needTo }
  const faults: ChannelFaults = draft.name.trim() ? {} : { name: words.needName }
  if (!isNew) return faults
  for (const field of CHANNEL_FIELDS[draft.kind])
    if (field !== 'signingSecret' && !draft[field].trim()) faults[field] = needed[field]
  return faults
}
