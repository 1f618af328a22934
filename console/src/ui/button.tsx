import type { ComponentProps, ReactNode } from 'react'

type Look = 'solid' | 'plain' | 'quiet' | 'danger'

const looks: Record<Look, string> = {
  solid: 'bg-solid text-on-solid border-transparent hover:bg-solid-hover',
  plain: 'bg-surface text-ink border-edge hover:bg-hover',
  quiet: 'bg-transparent text-muted border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-bad-solid text-white border-transparent hover:brightness-90',
}

export function buttonClass(look: Look = 'plain', small = false): string {
  const size = small ? 'h-6 px-2 text-[12px]' : 'h-8 px-3'
  return `inline-flex shrink-0 items-center justify-center gap-1.5 whitespace-nowrap rounded-md border font-medium transition-colors aria-disabled:cursor-not-allowed aria-disabled:opacity-55 ${size} ${looks[look]}`
}

type ButtonProps = Omit<ComponentProps<'button'>, 'disabled'> & {
  look?: Look
  small?: boolean
  /** Why the button does nothing now: it stays reachable by keyboard and says so. */
  blocked?: string | false | undefined
  children: ReactNode
}

export function Button({ look, small, blocked, onClick, className, type = 'button', ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={`${buttonClass(look, small)} ${className ?? ''}`}
      aria-disabled={blocked ? true : undefined}
      data-tip={blocked || rest['aria-label']}
      onClick={(event) => {
        if (blocked) event.preventDefault()
        else onClick?.(event)
      }}
    />
  )
}
