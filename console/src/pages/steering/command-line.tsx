import { Link } from '@tanstack/react-router'
import { commands as words } from '@/strings/steering'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { CommandMark } from '@/ui/command'
import { CopyCliIcon } from '@/ui/copy'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { cli } from '@/util/cli'
import { to } from '@/util/paths'
import { runtimeLabel } from '@/util/runtime-label'
import { useAction } from '@/util/use-action'
import { type Command, isOpen } from './standing'
import { useSituation, useSteer } from './use-steering'

/** One command: how it stands, since when, on which runtime, why, and the way out when it failed. */
export function CommandLine({ command }: { command: Command }) {
  const { blocked } = useSituation()
  const steer = useSteer()
  const { run, pending, problem } = useAction(() => steer.retry(command.id))
  const { state, reason, runtime, retryable } = command
  const open = isOpen(command)
  const since = command.endedAt ?? command.deliveredAt ?? command.queuedAt
  const label = runtimeLabel(runtime)
  return (
    <li>
      <div className="group/acts flex flex-wrap items-center gap-x-2 gap-y-0.5">
        <CommandMark state={state} />
        {command.action === 'RESET_LOGGER_LEVEL' && <span>{words.actions.RESET_LOGGER_LEVEL}</span>}
        <span className="text-faint">
          {open && words.for} <Age at={since} ago={!open} />
        </span>
        <Link {...to.runtime(runtime.id)} className="mono link">
          {label}
        </Link>
        {open && command.attempts > 1 && <span className="text-muted">{words.attempts(command.attempts)}</span>}
        {state !== 'CONFIRMED' && (
          <span className="min-w-0 text-muted">
            <Said text={reason} />
          </span>
        )}
        {(state === 'FAILED' || state === 'EXPIRED') && (
          <Button
            small
            aria-label={words.tryAgainLabel(words.actions[command.action], label)}
            blocked={blocked ?? (retryable ? undefined : words.notRetryable)}
            aria-busy={pending}
            onClick={() => !pending && void run()}
          >
            {words.tryAgain}
          </Button>
        )}
        {(state === 'FAILED' || state === 'EXPIRED') && retryable && !blocked && (
          <CopyCliIcon
            command={cli.retryCommand(command)}
            label={words.tryAgainLabel(words.actions[command.action], label)}
          />
        )}
      </div>
      {problem && <ProblemText problem={problem} except={[]} />}
    </li>
  )
}
