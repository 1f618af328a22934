import { Link } from '@tanstack/react-router'
import { ArrowRight } from 'lucide-react'
import type { ReactNode } from 'react'
import { home as words } from '@/strings/tenancy'
import type { Step } from './steps'

type TroubleRowProps = { mark: ReactNode; name: ReactNode; place?: ReactNode; steps?: ReactNode; children: ReactNode }

/** What and since when, which one and where, why and what to do; one below the other on narrow screens. */
export function TroubleRow({ mark, name, place, steps, children }: TroubleRowProps) {
  return (
    <li className="grid items-center gap-x-4 gap-y-0.5 px-3.5 py-1.5 lg:grid-cols-[148px_minmax(0,320px)_minmax(0,1fr)]">
      <span className="flex items-center gap-2 whitespace-nowrap">{mark}</span>
      <span className="min-w-0">
        {name}
        {place && <span className="flex flex-wrap items-center gap-x-1 text-[12px] text-muted">{place}</span>}
      </span>
      <span className="min-w-0 text-muted">
        <span className="block">{children}</span>
        {steps}
      </span>
    </li>
  )
}

/** Where to look next; each link says of what, since several rows have the same ones. */
export function NextSteps({ name, steps }: { name: string; steps: Step[] }) {
  if (steps.length === 0) return null
  return (
    <span className="flex flex-wrap gap-x-4 text-[12px]">
      {steps.map((step) => (
        <Link
          key={step.name}
          {...step.link}
          aria-label={words.stepOf(step.name, name)}
          className="link inline-flex items-center gap-1"
        >
          <ArrowRight size={11} className="text-faint" aria-hidden />
          {step.name}
        </Link>
      ))}
    </span>
  )
}
