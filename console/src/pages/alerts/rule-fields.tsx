import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { AlertChannelRowFragment, Severity } from '@/api/generated/alerts'
import { channels as channelWords, rules } from '@/strings/alerts'
import { logs } from '@/strings/logs'
import { Field, Select } from '@/ui/field'
import { Said } from '@/ui/said'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { TextField } from '@/ui/text-field'
import { SEVERITIES } from '@/util/choices'
import { to } from '@/util/paths'
import { ASKS } from './figures'
import { type Faults, PERCENTILES, type RuleDraft, WINDOWS_S } from './rule-draft'
import { SpanSelect } from './span-select'

const words = rules.form

export function Row({ children }: { children: ReactNode }) {
  return <div className="grid gap-x-4 sm:grid-cols-2">{children}</div>
}

export function Wrong({ text }: { text: string | undefined }) {
  if (!text) return null
  return (
    <p className="mt-1 text-bad">
      <Said text={text} />
    </p>
  )
}

type ConditionFieldsProps = {
  draft: RuleDraft
  set: (next: Partial<RuleDraft>) => void
  said: (field: string) => string | undefined
  faults: Faults
}

/** What this kind of rule asks for, and nothing else. */
export function ConditionFields({ draft, set, said, faults }: ConditionFieldsProps) {
  const { threshold, percentile, window, lines } = ASKS[draft.condition]
  return (
    <>
      {lines && (
        <>
          <TextField
            mono
            label={words.pattern}
            hint={words.patternHint}
            value={draft.pattern}
            onChange={(pattern) => set({ pattern })}
            error={said('pattern') ?? faults.pattern}
          />
          <LevelChecks chosen={draft.levels} onChange={(levels) => set({ levels })} error={said('levels')} />
        </>
      )}
      <Row>
        {threshold && (
          <TextField
            label={words.thresholds[threshold.unit]}
            value={draft.threshold}
            onChange={(value) => set({ threshold: value })}
            error={said('threshold') ?? faults.threshold}
          />
        )}
        {percentile && (
          <Field label={words.percentile} error={said('percentile')}>
            {(wiring) => (
              <Select
                {...wiring}
                value={draft.percentile}
                onChange={(event) => set({ percentile: Number(event.target.value) })}
              >
                {[...new Set([...PERCENTILES, draft.percentile])]
                  .sort((a, b) => a - b)
                  .map((each) => (
                    <option key={each} value={each}>
                      {rules.percentile(each)}
                    </option>
                  ))}
              </Select>
            )}
          </Field>
        )}
        {window && (
          <SpanSelect
            label={draft.condition === 'NO_TRAFFIC' ? words.windowQuiet : words.window}
            value={draft.windowS}
            usual={WINDOWS_S}
            onChange={(windowS) => windowS !== null && set({ windowS })}
            error={said('windowS')}
          />
        )}
      </Row>
    </>
  )
}

type LevelChecksProps = { chosen: Severity[]; onChange: (levels: Severity[]) => void; error: string | undefined }

function LevelChecks({ chosen, onChange, error }: LevelChecksProps) {
  return (
    <fieldset className="mb-3.5">
      <legend className="mb-1 font-medium">{words.levels}</legend>
      <div className="flex flex-wrap gap-x-4 gap-y-1">
        {SEVERITIES.map((level) => (
          <label key={level} className="flex cursor-pointer items-center gap-2">
            <input
              type="checkbox"
              checked={chosen.includes(level)}
              // In their own order, whatever the order of the clicks.
              onChange={() => onChange(SEVERITIES.filter((each) => (each === level) !== chosen.includes(each)))}
              className="accent-solid"
            />
            {logs.levels[level]}
          </label>
        ))}
      </div>
      <p className="mt-1 text-[12px] text-muted">{words.levelsHint}</p>
      <Wrong text={error} />
    </fieldset>
  )
}

type ChannelChecksProps = {
  known: AlertChannelRowFragment[]
  loading: boolean
  failed: unknown
  onRetry: () => void
  chosen: string[]
  onChange: (ids: string[]) => void
  error: string | undefined
}

export function ChannelChecks({ known, loading, failed, onRetry, chosen, onChange, error }: ChannelChecksProps) {
  return (
    <fieldset className="mb-3.5">
      <legend className="mb-1 font-medium">{words.channels}</legend>
      {failed ? (
        <CouldNotLoad what={channelWords.what} error={failed} onRetry={onRetry} />
      ) : loading ? (
        <Skeleton label={channelWords.what} rows={2} />
      ) : known.length === 0 ? (
        <p className="text-muted">
          {words.noChannels}{' '}
          <Link {...to.alertChannels()} search={{ create: true }} className="link">
            {words.toChannels}
          </Link>
        </p>
      ) : (
        <>
          <div className="grid gap-1 sm:grid-cols-2">
            {known.map(({ id, name, kind }) => (
              <label key={id} className="flex min-w-0 cursor-pointer items-baseline gap-2">
                <input
                  type="checkbox"
                  checked={chosen.includes(id)}
                  onChange={() =>
                    onChange(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id])
                  }
                  className="translate-y-[2px] accent-solid"
                />
                <span className="min-w-0 break-words">
                  {name} <span className="text-[12px] text-muted">{channelWords.kinds[kind]}</span>
                </span>
              </label>
            ))}
          </div>
          <p className="mt-1 text-[12px] text-muted">{words.channelsHint}</p>
        </>
      )}
      <Wrong text={error} />
    </fieldset>
  )
}
