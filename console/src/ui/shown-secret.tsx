import { useState } from 'react'
import { tokens as words } from '@/strings/account'
import { strings } from '@/strings/common'
import { Button } from './button'
import { CodeBlock } from './copy'
import { Dialog } from './dialog'

type ShownSecretProps = { title: string; label: string; secret: string; once: string; onClose: () => void }

/** Something that is shown once and nowhere else, ever; closing without a copy is asked about by the button's name. */
export function ShownSecret({ title, label, secret, once, onClose }: ShownSecretProps) {
  const [copied, setCopied] = useState(false)
  return (
    <Dialog open onOpenChange={(open) => !open && copied && onClose()} title={title}>
      <p className="mb-3 rounded-md bg-warn-soft px-2.5 py-2">
        <strong className="font-semibold">{once}</strong> {words.onceText}
      </p>
      <CodeBlock code={secret} label={label} onCopied={() => setCopied(true)} />
      <div className="mt-4 flex items-center justify-end gap-3">
        <span role="status" className="text-muted">
          {copied && words.copied}
        </span>
        <Button look={copied ? 'solid' : 'plain'} onClick={onClose}>
          {copied ? strings.done : strings.closeWithout}
        </Button>
      </div>
    </Dialog>
  )
}
