import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { alertLimitsQuery } from '@/api/alerts-queries'
import { SilenceAlertsDocument } from '@/api/generated/alerts'
import { graphql } from '@/api/request'
import { silences } from '@/strings/alerts'
import { strings } from '@/strings/common'
import { Field, Select } from '@/ui/field'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { Said } from '@/ui/said'
import { TextField } from '@/ui/text-field'
import { serverNow } from '@/util/clock'
import { useMayNotIn } from '@/util/permissions'
import type { PlaceSearch } from '@/util/search'
import { exactTime } from '@/util/time'
import { useAction } from '@/util/use-action'
import { PlacePicker, placeInput } from '../access/place-picker'
import { whereWords } from './rule-draft'
import { LASTS_S, newSilence, type SilenceDraft, silenceFaults, silenceInput, timeOf } from './silence-draft'
import { SpanSelect } from './span-select'
import { useAlertsChanged } from './use-alerts-changed'
import { usePlaceNames } from './use-place-names'

const words = silences.form
const FIELDS = ['rule', 'reason', 'from', 'to', 'project', 'integration', 'environment']

type SilenceFormProps = { rule?: string | undefined; place?: PlaceSearch; onClose: () => void }

/** Keeps a place, or one rule in it, quiet for a while. */
export function SilenceForm({ rule, place = {}, onClose }: SilenceFormProps) {
  const [draft, setDraft] = useState(() => newSilence(rule, place))
  const [tried, setTried] = useState(false)
  const set = (next: Partial<SilenceDraft>) => setDraft((before) => ({ ...before, ...next }))
  const rules = useQuery(alertLimitsQuery)
  const names = usePlaceNames(draft.place)
  const mayNot = useMayNotIn('ALERT_MGT_MANAGE', placeInput(draft.place))
  const changed = useAlertsChanged()
  const { run, pending, problem } = useAction(async () => {
    const { silenceAlerts } = await graphql(SilenceAlertsDocument, { input: silenceInput(draft, serverNow()) })
    changed()
    notify(words.done(exactTime(silenceAlerts.to)))
    onClose()
  })
  const faults = silenceFaults(draft, serverNow())
  const shown = tried ? faults : {}
  const said = (field: string) => problem?.of(field)?.message
  const wrongPlace = (mayNot !== strings.loading ? mayNot : undefined) ?? said('project') ?? said('environment')
  return (
    <FormDialog
      title={words.title}
      about={words.about}
      submit={words.submit}
      pending={pending}
      problem={problem}
      fields={FIELDS}
      onSubmit={() => {
        setTried(true)
        if (Object.keys(silenceFaults(draft, serverNow())).length === 0 && !mayNot) void run()
      }}
      onClose={onClose}
    >
      <Field label={words.rule} error={said('rule')}>
        {(wiring) => (
          <Select
            {...wiring}
            value={draft.rule ?? ''}
            onChange={(event) => set({ rule: event.target.value || undefined })}
          >
            <option value="">{words.everyRule}</option>
            {rules.data?.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <fieldset className="mb-3.5">
        <legend className="mb-1 font-medium">{words.where}</legend>
        <PlacePicker place={draft.place} onChange={(next) => set({ place: next })} />
        {wrongPlace && (
          <p className="mt-1 text-bad">
            <Said text={wrongPlace} />
          </p>
        )}
      </fieldset>
      <div className="grid gap-x-4 sm:grid-cols-2">
        <Field label={words.begins}>
          {(wiring) => (
            <Select
              {...wiring}
              value={draft.later ? 'later' : 'now'}
              onChange={(event) => set({ later: event.target.value === 'later' })}
            >
              <option value="now">{words.now}</option>
              <option value="later">{words.later}</option>
            </Select>
          )}
        </Field>
        <SpanSelect
          label={words.lasts}
          value={draft.lastsS}
          usual={LASTS_S}
          none={words.until}
          onChange={(lastsS) => set({ lastsS })}
          error={draft.lastsS === null ? undefined : (said('to') ?? shown.to)}
        />
        {draft.later && (
          <TextField
            type="datetime-local"
            label={words.beginsAt}
            value={draft.beginsAt}
            onChange={(beginsAt) => set({ beginsAt })}
            error={said('from') ?? shown.from}
          />
        )}
        {draft.lastsS === null && (
          <TextField
            type="datetime-local"
            label={words.endsAt}
            value={draft.endsAt}
            onChange={(endsAt) => set({ endsAt })}
            error={said('to') ?? shown.to}
          />
        )}
      </div>
      <TextField
        label={words.reason}
        hint={words.reasonHint}
        value={draft.reason}
        onChange={(reason) => set({ reason })}
        error={said('reason') ?? shown.reason}
      />
      <Preview draft={draft} where={whereWords(names)} rule={rules.data?.find(({ id }) => id === draft.rule)?.name} />
    </FormDialog>
  )
}

type PreviewProps = { draft: SilenceDraft; where: string; rule: string | undefined }

function Preview({ draft, where, rule }: PreviewProps) {
  const { from, to } = timeOf(draft, serverNow())
  if (from === undefined || to === undefined) return null
  const at = (ms: number) => exactTime(new Date(ms).toISOString())
  return (
    <section aria-label={words.says} className="rounded-md border border-line bg-sunken px-3 py-2">
      <h3 className="text-[12px] text-muted">{words.says}</h3>
      <p>
        {words.preview(
          rule ? words.ofRule(rule) : words.ofEverything,
          where,
          draft.later ? at(from) : words.fromNow,
          at(to),
        )}
      </p>
    </section>
  )
}
