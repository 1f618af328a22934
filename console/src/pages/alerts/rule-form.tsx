import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { alertChannelsQuery, alertRuleQuery } from '@/api/alerts-queries'
import { type AlertRuleRowFragment, type AlertSeverity, SaveAlertRuleDocument } from '@/api/generated/alerts'
import { LARGEST_PAGE } from '@/api/queries'
import { graphql } from '@/api/request'
import { alerts as alertWords, rules } from '@/strings/alerts'
import { strings } from '@/strings/common'
import { Dialog } from '@/ui/dialog'
import { Field, Select } from '@/ui/field'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { TextField } from '@/ui/text-field'
import { useMayNotIn } from '@/util/permissions'
import { useAction } from '@/util/use-action'
import { PlacePicker, placeInput } from '../access/place-picker'
import { CONDITIONS, everyWords } from './figures'
import {
  draftOf,
  FOR_S,
  faultsOf,
  inputOf,
  inWords,
  newDraft,
  REMIND_S,
  type RuleDraft,
  withCondition,
} from './rule-draft'
import { ChannelChecks, ConditionFields, Row, Wrong } from './rule-fields'
import { SpanSelect } from './span-select'
import { useAlertsChanged } from './use-alerts-changed'
import { usePlaceNames } from './use-place-names'

const words = rules.form
const OWN_FIELDS = ['name', 'condition', 'severity', 'threshold', 'percentile', 'windowS', 'pattern', 'levels', 'forS']
const ALSO_OWN = ['remindS', 'channels', 'project', 'integration', 'environment', 'criticalOnly']
const GRAVEST_FIRST: AlertSeverity[] = ['CRITICAL', 'WARNING', 'INFO']

/** A rule that a link names is read before it is changed. */
export function EditRule({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery({ ...alertRuleQuery(id), refetchOnWindowFocus: false })
  if (query.data) return <RuleForm rule={query.data} onClose={onClose} />
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={rules.one} wide>
      {query.isPending ? (
        <Skeleton label={rules.one} />
      ) : query.data === null ? (
        <Empty title={rules.panel.missing}>{rules.panel.missingText}</Empty>
      ) : (
        <CouldNotLoad what={rules.one} error={query.error} onRetry={() => void query.refetch()} />
      )}
    </Dialog>
  )
}

/** Makes a rule, or changes one; what it says stands in words below. */
export function RuleForm({ rule, onClose }: { rule?: AlertRuleRowFragment; onClose: () => void }) {
  const [draft, setDraft] = useState(() => (rule ? draftOf(rule) : newDraft()))
  const [tried, setTried] = useState(false)
  const set = (next: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...next }))
  const names = usePlaceNames(draft.place)
  const listed = useInfiniteQuery(alertChannelsQuery(LARGEST_PAGE))
  const known = listed.data?.pages.flatMap(({ nodes }) => nodes) ?? []
  const faults = faultsOf(draft)
  const mayNot = useMayNotIn('ALERT_MGT_MANAGE', placeInput(draft.place))
  const changed = useAlertsChanged()
  const { run, pending, problem } = useAction(async () => {
    const { saveAlertRule } = await graphql(SaveAlertRuleDocument, { input: inputOf(draft, rule?.id ?? null) })
    changed()
    notify(words.saved(saveAlertRule.name))
    onClose()
  })
  const said = (field: string) => problem?.of(field)?.message
  const before = rule && draftOf(rule)
  const moved =
    before &&
    (before.condition !== draft.condition ||
      before.criticalOnly !== draft.criticalOnly ||
      JSON.stringify(placeInput(before.place)) !== JSON.stringify(placeInput(draft.place)))
  return (
    <FormDialog
      wide
      title={rule ? words.edit(rule.name) : words.create}
      submit={rule ? strings.save : words.submit}
      pending={pending}
      problem={problem}
      fields={[...OWN_FIELDS, ...ALSO_OWN]}
      onSubmit={() => {
        setTried(true)
        if (Object.keys(faults).length === 0 && !mayNot) void run()
      }}
      onClose={onClose}
    >
      <TextField
        label={words.name}
        hint={words.nameHint}
        value={draft.name}
        onChange={(name) => set({ name })}
        error={said('name') ?? (tried ? faults.name : undefined)}
      />
      <Row>
        <Field label={words.condition} hint={rules.about[draft.condition]} error={said('condition')}>
          {(wiring) => (
            <Select
              {...wiring}
              value={draft.condition}
              onChange={(event) => setDraft(withCondition(draft, event.target.value as RuleDraft['condition']))}
            >
              {CONDITIONS.map((condition) => (
                <option key={condition} value={condition}>
                  {rules.conditions[condition]}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label={words.severity} error={said('severity')}>
          {(wiring) => (
            <Select
              {...wiring}
              value={draft.severity}
              onChange={(event) => set({ severity: event.target.value as AlertSeverity })}
            >
              {GRAVEST_FIRST.map((severity) => (
                <option key={severity} value={severity}>
                  {alertWords.severities[severity]}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </Row>
      <ConditionFields draft={draft} set={set} said={said} faults={tried ? faults : {}} />
      <fieldset className="mb-3.5">
        <legend className="mb-1 font-medium">{words.where}</legend>
        <PlacePicker place={draft.place} onChange={(place) => set({ place })} />
        {!draft.place.environment && (
          <label className="mt-1.5 flex w-fit cursor-pointer items-center gap-2.5">
            <input
              type="checkbox"
              checked={draft.criticalOnly}
              onChange={(event) => set({ criticalOnly: event.target.checked })}
              className="accent-solid"
            />
            {words.criticalOnly}
          </label>
        )}
        <p className="mt-1 text-[12px] text-muted">{words.whereHint}</p>
        <Wrong text={mayNot !== strings.loading ? mayNot : undefined} />
        <Wrong text={said('project') ?? said('integration') ?? said('environment') ?? said('criticalOnly')} />
      </fieldset>
      <Row>
        <SpanSelect
          label={words.lasts}
          hint={words.lastsHint}
          value={draft.forS}
          usual={FOR_S}
          say={(span, seconds) => (seconds === 0 ? rules.spans.atOnce : span)}
          onChange={(forS) => set({ forS: forS ?? 0 })}
          error={said('forS')}
        />
        <SpanSelect
          label={words.remind}
          value={draft.remindS}
          usual={REMIND_S}
          none={rules.spans.onceOnly}
          say={(_, seconds) => rules.spans.every(everyWords(seconds))}
          onChange={(remindS) => set({ remindS })}
          error={said('remindS')}
        />
      </Row>
      <ChannelChecks
        known={known}
        loading={listed.isPending}
        failed={listed.isError && known.length === 0 ? listed.error : undefined}
        onRetry={() => void listed.refetch()}
        chosen={draft.channels}
        onChange={(channels) => set({ channels })}
        error={said('channels')}
      />
      <label className="mb-3.5 flex w-fit cursor-pointer items-center gap-2.5">
        <input
          type="checkbox"
          checked={draft.enabled}
          onChange={(event) => set({ enabled: event.target.checked })}
          className="accent-solid"
        />
        {words.enabled}
      </label>
      {/* No faults are named before somebody tried: an unfinished sentence says that itself. */}
      <section aria-label={words.says} className="sticky bottom-0 rounded-md border border-line bg-sunken px-3 py-2">
        <h3 className="text-[12px] text-muted">{words.says}</h3>
        <p aria-live="polite">
          <Said
            text={inWords(draft, {
              ...names,
              channels: known.filter(({ id }) => draft.channels.includes(id)).map(({ name }) => name),
            })}
          />
        </p>
        {moved && <p className="mt-1 text-warn">{words.moved}</p>}
      </section>
    </FormDialog>
  )
}
