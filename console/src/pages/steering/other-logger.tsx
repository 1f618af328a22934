import { useState } from 'react'
import { steering as words } from '@/strings/steering'
import { Field, inputClass, Select } from '@/ui/field'
import { Said } from '@/ui/said'
import { lazily } from '@/util/lazily'
import { LEVELS } from '@/util/levels'
import { useAction } from '@/util/use-action'
import { useSituation, useSteer } from './use-steering'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

type OtherLoggerProps = { type: keyof typeof LEVELS; onClose: (logger?: string) => void }

/** Sets the level of a logger that no heartbeat carries. */
export function OtherLogger({ type, onClose }: OtherLoggerProps) {
  const { environment } = useSituation()
  const steer = useSteer()
  const [logger, setLogger] = useState('')
  const [level, setLevel] = useState<string>('DEBUG')
  const { run, pending, problem } = useAction(async (confirm: string | null) => {
    await steer.setLevel(logger.trim(), level, confirm)
    onClose(logger.trim())
  })
  return (
    <ConfirmDialog
      title={words.otherLogger}
      about={words.otherLoggerAbout}
      submit={words.setLevel(level)}
      environment={environment}
      pending={pending}
      problem={problem}
      blocked={logger.trim() ? undefined : words.loggerNeeded}
      onConfirm={(confirm) => void run(confirm)}
      onClose={() => onClose()}
    >
      <Field
        label={words.loggerName}
        hint={<Said text={words.loggerNameHint} />}
        error={problem?.of('logger')?.message}
      >
        {(wiring) => (
          <input
            {...wiring}
            value={logger}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setLogger(event.target.value)}
            className={`${inputClass} mono`}
          />
        )}
      </Field>
      <Field label={words.levelName} error={problem?.of('level')?.message}>
        {(wiring) => (
          <Select {...wiring} value={level} onChange={(event) => setLevel(event.target.value)}>
            {LEVELS[type].map((each) => (
              <option key={each}>{each}</option>
            ))}
          </Select>
        )}
      </Field>
    </ConfirmDialog>
  )
}
