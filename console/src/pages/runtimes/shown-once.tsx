import { type ReactNode, useState } from 'react'
import type { SecretOnceFragment } from '@/api/generated/operations'
import { strings } from '@/strings/common'
import { addRuntime as words } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { copyText } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { GeneratedSecret } from './generated-secret'

type ShownOnceProps = {
  title: string
  about: string
  /** Lives in the state of one component alone: not in the address, not in storage, not in a cache. */
  generated: SecretOnceFragment | undefined
  note?: ReactNode
  onClose: () => void
  /** What leads to the secret. */
  children: ReactNode
}

/** A dialog that ends with a secret that is shown once, and does not close unnoticed before it was copied. */
export function ShownOnce({ title, about, generated, note, onClose, children }: ShownOnceProps) {
  const [copied, setCopied] = useState(false)
  const [asking, setAsking] = useState(false)
  const close = () => {
    if (generated && !copied && !asking) setAsking(true)
    else onClose()
  }
  return (
    <Dialog open onOpenChange={(open) => !open && close()} title={title} about={about} wide>
      {!generated ? (
        children
      ) : (
        <>
          {note}
          <GeneratedSecret generated={generated} onCopied={() => setCopied(true)} />
          {asking && !copied ? (
            <div role="alert" className="mt-4 flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-3 py-2.5">
              <p className="min-w-0 flex-1 basis-60">{words.notCopied}</p>
              <Button onClick={onClose}>{words.closeAnyway}</Button>
              <Button look="solid" onClick={async () => (await copyText(generated.configToml)) && onClose()}>
                {words.copyAndClose}
              </Button>
            </div>
          ) : (
            <div className="mt-4 flex justify-end">
              <Button onClick={close}>{strings.done}</Button>
            </div>
          )}
        </>
      )}
    </Dialog>
  )
}
