import { Link } from '@tanstack/react-router'
import { Download, TriangleAlert } from 'lucide-react'
import { useMemo } from 'react'
import type { ApiProblem } from '@/api/problem'
import type { Answer } from '@/api/try-it'
import { tryIt as words } from '@/strings/try-it'
import { Button } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { Card } from '@/ui/page'
import { ProblemText } from '@/ui/problem-text'
import { to } from '@/util/paths'
import { bytesOf, pretty, size, typeOf } from './shown'

export type Shown = { answer?: Answer | undefined; problem?: ApiProblem | undefined; stopped?: true }

const tone = (status: number) => (status < 300 ? 'text-ok' : status < 400 ? 'text-link' : 'text-bad')

/** What came back, or why nothing did. */
export function AnswerCard({ shown }: { shown: Shown | undefined }) {
  const { answer, problem, stopped } = shown ?? {}
  return (
    <Card title={words.answer} label={words.answer} beside={answer && <Head answer={answer} />}>
      <div className="px-3.5 py-3" aria-live="polite">
        {!shown && <p className="text-muted">{words.noAnswerYet}</p>}
        {stopped && <p>{words.stopped}</p>}
        {problem && (
          <>
            <p className="font-medium">{words.noAnswer}</p>
            <ProblemText problem={problem} except={[]} />
          </>
        )}
        {answer && <Told answer={answer} />}
      </div>
    </Card>
  )
}

function Head({ answer }: { answer: Answer }) {
  return (
    <>
      <strong className={`nums ${tone(answer.status)}`}>{words.status(answer.status, answer.reason)}</strong>
      <span className="nums text-[12px] text-muted">
        {words.took(answer.wholeMs.toLocaleString('en'), answer.firstByteMs.toLocaleString('en'))} ·{' '}
        {size(answer.sizeBytes)} · {words.by(answer.address)}
      </span>
    </>
  )
}

function Told({ answer }: { answer: Answer }) {
  const body = useMemo(() => pretty(answer), [answer])
  return (
    <>
      {answer.cut && (
        <p className="mb-2 flex items-center gap-1.5 rounded-md bg-warn-soft px-2.5 py-1.5">
          <TriangleAlert size={14} aria-hidden className="shrink-0 text-warn" />
          {words.cut[answer.cut]}
        </p>
      )}
      {answer.bodyIsBase64 ? (
        <p className="flex items-center gap-2">
          {words.binary}
          <Button small onClick={() => save(answer)}>
            <Download size={13} aria-hidden />
            {words.download}
          </Button>
        </p>
      ) : answer.body ? (
        <div className="max-h-[60vh] overflow-y-auto">
          <CodeBlock code={body} label={typeOf(answer) || words.body} />
        </div>
      ) : (
        <p className="text-muted">{words.noBody}</p>
      )}
      <details className="mt-3">
        <summary className="w-fit">{words.answerHeaders(answer.headers.length)}</summary>
        <dl className="mono mt-1 grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 text-[12px]">
          {answer.headers.map(({ name, value }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: headers may come twice, and their order stays
            <div key={index} className="contents">
              <dt className="text-muted">{name}</dt>
              <dd className="break-all">{value}</dd>
            </div>
          ))}
        </dl>
      </details>
      {answer.traceId && (
        <p className="mt-2">
          <Link {...to.trace(answer.traceId)} className="link">
            {words.trace}
          </Link>
        </p>
      )}
    </>
  )
}

function save(answer: Answer): void {
  const url = URL.createObjectURL(new Blob([bytesOf(answer.body)], { type: 'application/octet-stream' }))
  Object.assign(document.createElement('a'), { href: url, download: words.fileName }).click()
  setTimeout(() => URL.revokeObjectURL(url), 0)
}
