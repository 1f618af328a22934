import { CircleCheck, ShieldAlert } from 'lucide-react'
import { useState } from 'react'
import { AuditCheckDocument, type AuditCheckQuery } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { audit as words } from '@/strings/audit'
import { Button } from '@/ui/button'
import { ProblemText } from '@/ui/problem-text'
import { Said } from '@/ui/said'
import { useAction } from '@/util/use-action'

type Found = AuditCheckQuery['auditCheck']

/** Goes through the chain of the records when it is asked to. */
export function useIntegrity() {
  const [found, setFound] = useState<Found>()
  const action = useAction(async () => {
    setFound((await graphql(AuditCheckDocument, {})).auditCheck)
  })
  return { found, ...action }
}

type Check = ReturnType<typeof useIntegrity>

export function CheckIntegrity({ check: { pending, run } }: { check: Check }) {
  return (
    <Button aria-busy={pending} onClick={() => !pending && void run()}>
      {pending ? words.checking : words.check}
    </Button>
  )
}

/** What came of it; it takes no place before. */
export function Integrity({ check: { found, problem }, onShow }: { check: Check; onShow: (number: number) => void }) {
  return (
    <div className={found || problem ? 'mb-3 flex flex-wrap items-center gap-x-3 gap-y-1' : ''}>
      <div role="status" className="flex flex-wrap items-center gap-x-2">
        {found && (
          <>
            <strong className={`inline-flex items-center gap-1.5 ${found.intact ? 'text-ok' : 'text-bad'}`}>
              {found.intact ? <CircleCheck size={14} aria-hidden /> : <ShieldAlert size={14} aria-hidden />}
              {found.intact ? words.intact : words.broken}
            </strong>
            <span>
              <Said text={found.message} />
            </span>
            <span className="nums text-muted">{words.checked(found.checked)}</span>
            {found.from !== null && <span className="text-muted">{words.since(found.from)}</span>}
          </>
        )}
      </div>
      {found?.brokenAt != null && (
        <Button small onClick={() => found.brokenAt !== null && onShow(found.brokenAt)}>
          {words.brokenAt(found.brokenAt)}
        </Button>
      )}
      <ProblemText problem={problem} except={[]} />
    </div>
  )
}
