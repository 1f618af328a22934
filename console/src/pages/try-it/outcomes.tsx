import { tryIt as words } from '@/strings/try-it'
import { CodeBlock } from '@/ui/copy'
import { Card } from '@/ui/page'
import type { Outcome } from './operations'

/** What the definition says that the service answers. */
export function Outcomes({ outcomes }: { outcomes: Outcome[] }) {
  return (
    <Card title={words.answers} label={words.answers}>
      <ul className="divide-y divide-line">
        {outcomes.map(({ status, description, kind, example }) => (
          <li key={status} className="px-3.5 py-2">
            <strong className="nums">{status}</strong> {description}{' '}
            {kind && <code className="break-all text-faint">{kind}</code>}
            {example && (
              <details>
                <summary className="w-fit text-muted">{words.example}</summary>
                <CodeBlock code={example} label={status} />
              </details>
            )}
          </li>
        ))}
      </ul>
    </Card>
  )
}
