import { Check, Copy as CopyIcon } from 'lucide-react'
import { useState } from 'react'
import type { Document } from '@/api/request'
import { strings } from '@/strings/common'
import { Button } from './button'
import { notify } from './notices'

/** False when the browser refuses, for instance because the page came over plain http from another host. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    notify(strings.copyFailed, 'bad')
    return false
  }
}

type CopyProps = { text: string; label?: string; onCopied?: () => void; look?: 'solid' | 'plain' | 'quiet' }

export function CopyButton({ text, label = strings.copy, onCopied, look = 'plain' }: CopyProps) {
  const [copied, setCopied] = useState(false)
  return (
    <Button
      small
      look={look}
      onClick={async () => {
        if (!(await copyText(text))) return
        setCopied(true)
        setTimeout(() => setCopied(false), 2_000)
        onCopied?.()
      }}
    >
      {copied ? <Check size={13} aria-hidden /> : <CopyIcon size={13} aria-hidden />}
      <span aria-live="polite">{copied ? strings.copied : label}</span>
    </Button>
  )
}

/** For a value that stands beside it: the icon says it, and the name says what is copied. */
export function CopyIconButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false)
  const name = copied ? strings.copied : label
  return (
    <button
      type="button"
      aria-label={name}
      data-tip={name}
      onClick={async () => {
        if (!(await copyText(text))) return
        setCopied(true)
        setTimeout(() => setCopied(false), 2_000)
      }}
      className="grid size-5 shrink-0 place-items-center rounded text-faint hover:bg-hover hover:text-ink"
    >
      {copied ? <Check size={12} aria-hidden /> : <CopyIcon size={12} aria-hidden />}
      <span role="status" className="sr-only">
        {copied && strings.copied}
      </span>
    </button>
  )
}

/** The same list or action for a script: document and variables, ready for any GraphQL client. */
export function CopyGraphql<R, V>({ document, variables }: { document: Document<R, V>; variables: V }) {
  const text = `${document.toString().trim()}\n\n# variables\n# ${JSON.stringify(variables)}\n`
  return (
    <span className="hidden sm:contents">
      <CopyButton look="quiet" text={text} label={strings.copyGraphql} />
    </span>
  )
}

type CodeBlockProps = {
  code: string
  label: string
  /** Sentences, which take the lines that they need. */
  prose?: boolean
  onCopied?: () => void
}

const preClass = 'overflow-x-auto px-3 py-2.5 text-[12.5px] leading-[1.6]'

export function CodeBlock({ code, label, prose, onCopied }: CodeBlockProps) {
  return (
    <figure className="relative rounded-md border border-line bg-sunken" aria-label={label} onCopy={onCopied}>
      <figcaption className="flex items-center justify-between border-b border-line py-1 pl-3 pr-1.5 text-[12px] text-muted">
        {prose ? label : <code>{label}</code>}
        <CopyButton text={code} {...(onCopied ? { onCopied } : {})} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <pre className={prose ? `${preClass} whitespace-pre-wrap break-words` : preClass} tabIndex={0}>
        <code className="text-[12px]">{code}</code>
      </pre>
    </figure>
  )
}

/** The same beside a control that needs no question: it is seen when its row is pointed at, or a key comes to it. */
export function CopyCliIcon({ command, label }: { command: string; label: string }) {
  return (
    <span className="hidden items-center opacity-0 focus-within:opacity-100 group-hover/acts:opacity-100 sm:inline-flex">
      <CopyIconButton text={command} label={strings.copyCliOf(label)} />
    </span>
  )
}

/** The same for a terminal; nothing where the command line does not know it. */
export function CopyCli({ command }: { command: string | null }) {
  if (command === null) return null
  return (
    <span className="hidden sm:contents">
      <CopyButton look="quiet" text={command} label={strings.copyCli} />
    </span>
  )
}
