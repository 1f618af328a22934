import { useState } from 'react'
import type { SteerableFactsFragment } from '@/api/generated/operations'
import { strings } from '@/strings/common'
import { valueName, steering as words } from '@/strings/steering'
import { Button } from '@/ui/button'
import { CopyCliIcon } from '@/ui/copy'
import { Select } from '@/ui/field'
import { ProblemText } from '@/ui/problem-text'
import { lazily } from '@/util/lazily'
import { useAction } from '@/util/use-action'
import { type AspectFacts, levelOf } from './standing'
import { useSituation, useSteer } from './use-steering'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

type LevelProps = {
  artifact: SteerableFactsFragment
  facts: AspectFacts
  pending: boolean
  /** The command line that asks for a level. */
  command: (level: string) => string
  onSet: (level: string) => void
}

/** The select shows the level that is reported; choosing another one asks for it only when that is said. */
export function LevelControl({ artifact: { name }, facts, pending, command, onSet }: LevelProps) {
  const { blocked, type } = useSituation()
  const observed = levelOf(facts.observed)
  const [chosen, setChosen] = useState<string>()
  const levels = observed && !facts.values.includes(observed) ? [observed, ...facts.values] : facts.values
  const shown = chosen ?? observed ?? ''
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <Select
        aria-label={words.level(name)}
        value={shown}
        disabled={Boolean(blocked)}
        data-tip={blocked}
        onChange={(event) => setChosen(event.target.value)}
        className="mono h-6! w-[104px] px-1!"
      >
        {observed === undefined && <option value="">{facts.observed.length > 1 ? words.differs : '–'}</option>}
        {levels.map((level) => (
          <option key={level} value={level}>
            {valueName(level)}
          </option>
        ))}
      </Select>
      {chosen && chosen !== observed && (
        <>
          <Button
            small
            look="solid"
            aria-busy={pending}
            onClick={() => {
              if (pending) return
              onSet(chosen)
              setChosen(undefined)
            }}
          >
            {words.setLevel(chosen)}
          </Button>
          <CopyCliIcon command={command(chosen)} label={words.doTo(words.setLevel(chosen), name)} />
          <Button small look="quiet" onClick={() => setChosen(undefined)}>
            {strings.cancel}
          </Button>
        </>
      )}
      {!chosen && type === 'PY' && <Reset logger={name} />}
    </div>
  )
}

/** Back to what the program itself set; only Python's bridge remembers that. */
function Reset({ logger }: { logger: string }) {
  const { environment, blocked } = useSituation()
  const steer = useSteer()
  const [asking, setAsking] = useState(false)
  const { run, pending, problem } = useAction(async (confirm: string | null) => {
    await steer.resetLevel(logger, confirm)
    setAsking(false)
  })
  return (
    <>
      <Button
        small
        look="quiet"
        aria-label={words.resetLabel(logger)}
        blocked={blocked}
        aria-busy={pending}
        onClick={() => (environment.critical ? setAsking(true) : void run(null))}
      >
        {words.reset}
      </Button>
      {!asking && problem && <ProblemText problem={problem} except={[]} />}
      {asking && (
        <ConfirmDialog
          title={words.doTo(words.reset, logger)}
          about={words.resetMeaning}
          submit={words.reset}
          environment={environment}
          pending={pending}
          problem={problem}
          onConfirm={(confirm) => void run(confirm)}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}
