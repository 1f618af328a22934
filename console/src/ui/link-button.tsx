import { Link, type LinkProps } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { buttonClass } from './button'

type LinkButtonProps = {
  link: LinkProps
  look?: Parameters<typeof buttonClass>[0]
  small?: boolean
  /** Why it leads nowhere now: it stays reachable by keyboard and says so. */
  blocked?: string | undefined
  tip?: string | undefined
  children: ReactNode
}

/** A link that looks like a button. */
export function LinkButton({ link, look, small, blocked, tip, children }: LinkButtonProps) {
  const className = buttonClass(look, small)
  if (blocked) {
    return (
      <RestingLink className={className} blocked={blocked}>
        {children}
      </RestingLink>
    )
  }
  return (
    <Link {...link} className={className} data-tip={tip}>
      {children}
    </Link>
  )
}

type RestingLinkProps = { blocked: string; className: string; children: ReactNode }

/** A link to what is not open to the viewer: it is named as one, says why it rests, and leads nowhere. */
export function RestingLink({ blocked, className, children }: RestingLinkProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: an anchor without an address is no link to a screen reader
    <span role="link" aria-disabled="true" tabIndex={0} data-tip={blocked} className={className}>
      {children}
    </span>
  )
}
