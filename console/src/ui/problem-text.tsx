import type { ApiProblem } from '@/api/problem'
import { Reference } from './reference'
import { Said } from './said'

type ProblemTextProps = { problem: ApiProblem | undefined; except: string[] }

/** What no field of the form could take: said above its buttons. */
export function ProblemText({ problem, except }: ProblemTextProps) {
  const rest = problem?.refusals.filter((refusal) => !refusal.field || !except.includes(refusal.field)) ?? []
  return (
    <div role="alert">
      {rest.map((refusal) => (
        <p key={refusal.code + refusal.message} className="mt-3 rounded-md bg-bad-soft px-2.5 py-2 text-bad">
          <Said text={refusal.message} /> <Said text={refusal.fix} /> <code>{refusal.code}</code>{' '}
          <Reference id={refusal.requestId} />
        </p>
      ))}
    </div>
  )
}
