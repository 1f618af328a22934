import { Link } from '@tanstack/react-router'
import { GitCompareArrows } from 'lucide-react'
import type { SteerableKind, SteeringQuery } from '@/api/generated/operations'
import { steering as words } from '@/strings/steering'
import { Button } from '@/ui/button'
import { Said } from '@/ui/said'
import { to } from '@/util/paths'
import { linked } from './linked'
import { RuntimeNames } from './observed'

type Drift = NonNullable<SteeringQuery['steering']>['drift'][number]
type DriftCardProps = { drift: Drift[]; onShow: (name: string, kind: SteerableKind | undefined) => void }

/** Replicas that should be alike and are not: one sentence each, with who it is. */
export function DriftCard({ drift, onShow }: DriftCardProps) {
  if (drift.length === 0) return null
  return (
    <section aria-label={words.drift} className="mb-4 rounded-lg border border-line bg-warn-soft px-3.5 py-2">
      <h2 className="flex items-center gap-2 text-[13.5px]">
        <GitCompareArrows size={15} className="text-warn" aria-hidden />
        {words.drift}
      </h2>
      <ul className="mt-1 space-y-0.5">
        {drift.map(({ message, name, kind, runtimes, runtimeCount }) => (
          <li key={message} className="flex flex-wrap items-center gap-x-2">
            <DriftMessage message={message} runtimes={runtimes} runtimeCount={runtimeCount} />
            {name && (
              <Button
                small
                look="quiet"
                aria-label={words.showLabel(name)}
                onClick={() => onShow(name, kind ?? undefined)}
              >
                {words.show}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <p className="mt-1 text-muted">{words.driftFix}</p>
    </section>
  )
}

function DriftMessage({ message, runtimes, runtimeCount }: Pick<Drift, 'message' | 'runtimes' | 'runtimeCount'>) {
  const { pieces, unnamed } = linked(message, runtimes)
  return (
    <span className="min-w-0">
      {pieces.map(({ text, runtime }, index) =>
        runtime ? (
          <Link key={runtime.id} {...to.runtime(runtime.id)} className="mono link">
            {text}
          </Link>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a sentence have no identity but their place
          <Said key={index} text={text} />
        ),
      )}{' '}
      {unnamed.length > 0 && (
        <RuntimeNames runtimes={unnamed} count={unnamed.length + runtimeCount - runtimes.length} />
      )}
    </span>
  )
}
