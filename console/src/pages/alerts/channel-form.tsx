import { useState } from 'react'
import { type AlertChannelKind, type AlertChannelRowFragment, SaveAlertChannelDocument } from '@/api/generated/alerts'
import { graphql } from '@/api/request'
import { channels } from '@/strings/alerts'
import { strings } from '@/strings/common'
import { Field, Select } from '@/ui/field'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { TextField } from '@/ui/text-field'
import { useAction } from '@/util/use-action'
import {
  CHANNEL_FIELDS,
  CHANNEL_KINDS,
  type ChannelDraft,
  channelFaults,
  channelInput,
  newChannel,
} from './channel-draft'
import { useAlertsChanged } from './use-alerts-changed'

const words = channels.form
const FIELDS = ['name', 'kind', 'url', 'signingSecret', 'routingKey', 'to']

type ChannelFormProps = {
  channel?: AlertChannelRowFragment
  onClose: () => void
  /** A signing secret was made: it is told once, and kept nowhere. */
  onMade: (made: { name: string; secret: string }) => void
}

/** Makes a channel, or changes one. */
export function ChannelForm({ channel, onClose, onMade }: ChannelFormProps) {
  const [draft, setDraft] = useState(() => newChannel(channel))
  const [tried, setTried] = useState(false)
  const set = (next: Partial<ChannelDraft>) => setDraft((before) => ({ ...before, ...next }))
  const faults = channelFaults(draft, !channel)
  const changed = useAlertsChanged()
  const { run, pending, problem } = useAction(async () => {
    const input = channelInput(draft, channel?.id ?? null)
    const { saveAlertChannel: saved } = await graphql(SaveAlertChannelDocument, { input })
    changed()
    notify(words.saved(saved.channel.name))
    onClose()
    if (saved.signingSecret) onMade({ name: saved.channel.name, secret: saved.signingSecret })
  })
  const wrong = (field: keyof typeof faults) => problem?.of(field)?.message ?? (tried ? faults[field] : undefined)
  const asks = CHANNEL_FIELDS[draft.kind]
  return (
    <FormDialog
      title={channel ? words.edit(channel.name) : words.create}
      about={words.sealed}
      submit={channel ? strings.save : words.submit}
      pending={pending}
      problem={problem}
      fields={FIELDS}
      onSubmit={() => {
        setTried(true)
        if (Object.keys(faults).length === 0) void run()
      }}
      onClose={onClose}
    >
      <TextField
        label={words.name}
        hint={words.nameHint}
        value={draft.name}
        onChange={(name) => set({ name })}
        error={wrong('name')}
      />
      <Field label={words.kind} hint={channel && words.kindStays} error={problem?.of('kind')?.message}>
        {(wiring) => (
          <Select
            {...wiring}
            value={draft.kind}
            disabled={channel !== undefined}
            onChange={(event) => set({ kind: event.target.value as AlertChannelKind })}
          >
            {CHANNEL_KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {channels.kinds[kind]}
              </option>
            ))}
          </Select>
        )}
      </Field>
      {asks.includes('url') && (
        <TextField
          mono
          label={words.url}
          hint={channel ? words.keep(channel.target) : urlHint(draft.kind)}
          value={draft.url}
          onChange={(url) => set({ url })}
          error={wrong('url')}
        />
      )}
      {asks.includes('signingSecret') && (
        <TextField
          type="password"
          autoComplete="new-password"
          label={words.signingSecret}
          hint={channel ? words.signingKeep : words.signingHint}
          value={draft.signingSecret}
          onChange={(signingSecret) => set({ signingSecret })}
          error={wrong('signingSecret')}
        />
      )}
      {asks.includes('routingKey') && (
        <TextField
          type="password"
          autoComplete="new-password"
          label={words.routingKey}
          hint={channel ? words.signingKeep : words.routingHint}
          value={draft.routingKey}
          onChange={(routingKey) => set({ routingKey })}
          error={wrong('routingKey')}
        />
      )}
      {asks.includes('to') && (
        <TextField
          label={words.to}
          hint={words.toHint}
          value={draft.to}
          onChange={(to) => set({ to })}
          error={wrong('to')}
        />
      )}
    </FormDialog>
  )
}

function urlHint(kind: AlertChannelKind): string | undefined {
  return kind === 'WEBHOOK' || kind === 'SLACK' || kind === 'TEAMS' ? words.urlHints[kind] : undefined
}
