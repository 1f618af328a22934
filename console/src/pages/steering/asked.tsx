import { CircleCheck, TriangleAlert } from 'lucide-react'
import type { SteerableFactsFragment } from '@/api/generated/operations'
import { valueName, steering as words } from '@/strings/steering'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { serverNow } from '@/util/clock'
import { runtimeLabel } from '@/util/runtime-label'
import { useAction } from '@/util/use-action'
import { CommandLine } from './command-line'
import { type AspectFacts, isOrphan, type Standing, type Target } from './standing'
import { useSituation, useSteer } from './use-steering'

/** So many commands of one wish are named; how many there are is said. */
const NAMED = 5

type AskedProps = {
  artifact: SteerableFactsFragment
  facts: AspectFacts
  target: Target
  standing: Standing
  onAgain: () => void
}

/** What is asked, by whom, and how its commands stand. */
export function Asked({ artifact, facts, target, standing, onAgain }: AskedProps) {
  const { resting, blocked } = useSituation()
  const { desired, inSync, observed } = facts
  const { failed, open, confirmed } = standing
  const total = failed.length + open.length + confirmed.length
  const earlier = desired?.history.filter((each) => each.version < desired.version) ?? []
  const idle = total - confirmed.length === 0
  return (
    <div className="min-w-0">
      {desired ? (
        <div className="flex flex-wrap items-center gap-x-1.5">
          <span className="text-muted">{words.asked}:</span>
          <strong className="font-medium">{valueName(desired.value)}</strong>
          <span className="text-muted">
            {words.by} {desired.author}, <Age at={desired.setAt} ago />
          </span>
          <span className="nums text-faint">{words.version(desired.version)}</span>
          {inSync && idle && observed.length > 0 && (
            <span className="inline-flex items-center gap-1 text-ok">
              <CircleCheck size={13} aria-hidden />
              {words.asAsked}
            </span>
          )}
          <Forget target={target} />
        </div>
      ) : (
        total === 0 && <p className="text-faint">{words.nothingAsked}</p>
      )}
      {desired?.suspendedReason ? (
        <Trouble title={words.suspended} text={desired.suspendedReason}>
          <Button small onClick={onAgain} blocked={blocked}>
            {words.askAgain}
          </Button>
        </Trouble>
      ) : (
        desired && (
          <>
            {desired.absentSince && (
              <Trouble
                title={isOrphan(desired.absentSince, serverNow()) ? words.orphan : undefined}
                text={
                  <>
                    {words.absent} <Age at={desired.absentSince} />. {words.orphanFix}
                  </>
                }
              />
            )}
            {!inSync && idle && observed.length > 0 && (
              <Trouble text={`${words.notAsAsked} ${words.notAsAskedFix}`}>
                <Button small onClick={onAgain} blocked={blocked}>
                  {words.askAgain}
                </Button>
              </Trouble>
            )}
            {resting.count > 0 && !desired.absentSince && (
              <p className="text-[12px] text-muted" data-tip={resting.named.map(runtimeLabel).join(', ')}>
                {words.notRunning(resting.count)}
              </p>
            )}
          </>
        )
      )}
      {total > 1 && <p className="nums text-muted">{words.progress(confirmed.length, total)}</p>}
      {total > 0 && (
        <ul className="space-y-0.5">
          {[...failed.slice(0, NAMED), ...open.slice(0, NAMED), ...(total === 1 ? confirmed : [])].map((command) => (
            <CommandLine key={command.id} command={command} />
          ))}
        </ul>
      )}
      {Math.max(0, failed.length - NAMED) + Math.max(0, open.length - NAMED) > 0 && (
        <p className="nums text-faint">
          {words.more(Math.max(0, failed.length - NAMED) + Math.max(0, open.length - NAMED))}
        </p>
      )}
      {earlier.length > 0 && <Earlier name={artifact.name} history={earlier} />}
    </div>
  )
}

function Trouble({
  title,
  text,
  children,
}: {
  title?: string | undefined
  text: React.ReactNode
  children?: React.ReactNode
}) {
  return (
    <div className="flex flex-wrap items-center gap-x-1.5 gap-y-1 text-warn">
      <TriangleAlert size={13} className="shrink-0" aria-hidden />
      {title && <strong className="font-medium">{title}.</strong>}
      <span className="min-w-0 flex-1 basis-52 text-ink">{typeof text === 'string' ? <Said text={text} /> : text}</span>
      {children}
    </div>
  )
}

function Forget({ target }: { target: Target }) {
  const { blocked } = useSituation()
  const steer = useSteer()
  const { run, pending, problem } = useAction(async () => {
    await steer.forget(target)
    notify(words.forgotDone(target.name))
  })
  return (
    <>
      <Button
        small
        look="quiet"
        aria-label={words.forgetLabel(target.name)}
        blocked={blocked}
        aria-busy={pending}
        onClick={() => !pending && void run()}
      >
        {words.forget}
      </Button>
      {problem && <ProblemText problem={problem} except={[]} />}
    </>
  )
}

type EarlierProps = { name: string; history: NonNullable<AspectFacts['desired']>['history'] }

function Earlier({ name, history }: EarlierProps) {
  return (
    <details className="text-[12px] text-muted">
      <summary aria-label={`${words.history}: ${name}`}>{words.history}</summary>
      <ul>
        {history.map((each) => (
          <li key={each.version} className="nums">
            {words.version(each.version)} {each.value === null ? words.forgotten : valueName(each.value)} {words.by}{' '}
            {each.author}, <Age at={each.at} ago />
          </li>
        ))}
      </ul>
    </details>
  )
}
