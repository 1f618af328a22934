import { useState } from 'react'
import type { SteerableFactsFragment } from '@/api/generated/operations'
import { kindNames, steering as words } from '@/strings/steering'
import { Button } from '@/ui/button'
import { CopyCli, CopyCliIcon } from '@/ui/copy'
import { InlineConfirm } from '@/ui/inline-confirm'
import { ProblemText } from '@/ui/problem-text'
import { Switch } from '@/ui/switch'
import { cli } from '@/util/cli'
import { lazily } from '@/util/lazily'
import { useAction } from '@/util/use-action'
import { Asked } from './asked'
import { LevelControl } from './level'
import { Observed } from './observed'
import { type AspectFacts, isOf, pressedFor, standingOf, switchedTo, type Target } from './standing'
import { useSituation, useSteer } from './use-steering'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

type AspectProps = { artifact: SteerableFactsFragment; facts: AspectFacts; named: boolean }

/** One aspect of an artifact: what is observed, what is asked, how that stands, and the control. */
export function AspectEntry({ artifact, facts, named }: AspectProps) {
  const { kind, name, package: from } = artifact
  const { aspect, observed, desired } = facts
  const { seen, environment, blocked, place } = useSituation()
  const target: Target = { kind, name, package: from, aspect }
  const standing = standingOf(
    facts.commands,
    [...seen.values()].filter((command) => isOf(target, command)),
  )
  const steer = useSteer()
  const [asking, setAsking] = useState<string>()
  const { run, pending, problem } = useAction(async (value: string, confirm: string | null) => {
    await (aspect === 'LEVEL' ? steer.setLevel(name, value, confirm) : steer.change(target, value, confirm))
    setAsking(undefined)
  })
  const ask = (value: string) => {
    const interrupts = aspect === 'STATE' && value === 'DISABLED'
    if (environment.critical || interrupts) setAsking(value)
    else void run(value, null)
  }
  const command = (value: string) =>
    cli.setArtifact(target, value, { ...place, confirm: environment.critical ? environment.handle : null })
  const touched = observed.filter((each) => each.value !== asking).reduce((sum, each) => sum + each.runtimeCount, 0)
  const verb = (value: string) =>
    aspect === 'LEVEL' ? words.setLevel(value) : words.verbs[aspect][value === 'DISABLED' ? 'DISABLED' : 'ENABLED']
  return (
    <div
      className={`group/acts grid items-start gap-x-4 gap-y-1 ${named ? 'md:grid-cols-[74px_calc(46%-90px)_minmax(0,1fr)]' : 'md:grid-cols-[46%_minmax(0,1fr)]'}`}
    >
      <span className={named ? 'text-muted' : 'sr-only'}>{words.aspects[aspect]}</span>
      <div className="flex flex-wrap items-start gap-x-2.5 gap-y-1">
        {aspect === 'LEVEL' ? (
          <LevelControl artifact={artifact} facts={facts} pending={pending} command={command} onSet={ask} />
        ) : (
          <StateControl
            label={words.switchLabel(kindNames[kind][0], name, words.aspects[aspect])}
            stands={switchedTo(observed)}
            desired={desired?.value}
            open={standing.open.length}
            verb={verb}
            name={name}
            blocked={blocked}
            command={command}
            onAsk={ask}
          />
        )}
        {(aspect !== 'LEVEL' || observed.length > 1) && <Observed observed={observed} />}
      </div>
      <div className="min-w-0">
        <Asked
          artifact={artifact}
          facts={facts}
          target={target}
          standing={standing}
          onAgain={() => desired && ask(desired.value)}
        />
        {asking && !environment.critical && (
          <InlineConfirm
            question={words.confirmStop(name, touched, environment.displayName)}
            submit={words.stop}
            beside={<CopyCli command={command(asking)} />}
            pending={pending}
            problem={problem}
            onConfirm={() => void run(asking, null)}
            onClose={() => setAsking(undefined)}
          />
        )}
        {!asking && problem && <ProblemText problem={problem} except={[]} />}
      </div>
      {asking && environment.critical && (
        <ConfirmDialog
          title={words.doTo(verb(asking), name)}
          about={
            touched === 0 ? words.affectsNone(environment.displayName) : words.affects(touched, environment.displayName)
          }
          submit={verb(asking)}
          environment={environment}
          look={aspect === 'STATE' && asking === 'DISABLED' ? 'danger' : 'solid'}
          pending={pending}
          problem={problem}
          onConfirm={(confirm) => void run(asking, confirm)}
          onClose={() => setAsking(undefined)}
        >
          <CopyCli command={command(asking)} />
        </ConfirmDialog>
      )}
    </div>
  )
}

type StateControlProps = {
  label: string
  name: string
  stands: 'on' | 'off' | 'mixed'
  desired: string | undefined
  open: number
  verb: (value: string) => string
  blocked: string | undefined
  command: (value: string) => string
  onAsk: (value: string) => void
}

/** A switch where all report the same; where they differ, both ways are offered. */
function StateControl(props: StateControlProps) {
  const { label, name, stands, desired, open, verb, blocked, command, onAsk } = props
  if (stands !== 'mixed') {
    const next = pressedFor(stands, desired, open)
    return (
      <>
        <Switch
          label={label}
          on={stands === 'on'}
          tip={words.doTo(verb(next), name)}
          blocked={blocked}
          busy={open > 0}
          onPress={() => onAsk(next)}
        />
        {!blocked && <CopyCliIcon command={command(next)} label={words.doTo(verb(next), name)} />}
      </>
    )
  }
  return (
    <span className="inline-flex gap-1">
      {['ENABLED', 'DISABLED'].map((value) => (
        <span key={value} className="inline-flex items-center">
          <Button small aria-label={words.doTo(verb(value), name)} blocked={blocked} onClick={() => onAsk(value)}>
            {verb(value)}
          </Button>
          {!blocked && <CopyCliIcon command={command(value)} label={words.doTo(verb(value), name)} />}
        </span>
      ))}
    </span>
  )
}
