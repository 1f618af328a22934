import type { ReactNode } from 'react'
import { strings } from '@/strings/common'
import { useAnnounced } from './announcer'
import { Mark } from './mark'

type OutsideProps = { title: string; lead: string; text?: ReactNode; children: ReactNode }

/** A page without the frame: before anything is open to somebody. */
export function Outside({ title, lead, text, children }: OutsideProps) {
  useAnnounced(lead)
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <title>{strings.title(title)}</title>
      <div className="w-full max-w-[340px]">
        <Mark size={36} />
        <h1 className={`mt-4 text-[19px] tracking-[-0.01em] ${text ? 'mb-1' : 'mb-5'}`}>{lead}</h1>
        {text && <div className="mb-5 text-muted">{text}</div>}
        {children}
      </div>
    </main>
  )
}
