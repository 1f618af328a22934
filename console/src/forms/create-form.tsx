import { type ReactNode, useState } from 'react'
import type { ApiProblem } from '@/api/problem'
import { strings } from '@/strings/common'
import { form as words } from '@/strings/tenancy'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ProblemText } from '@/ui/problem-text'
import { NameFields } from './name-fields'
import type { useHandle } from './use-handle'

type CreateFormProps = {
  title: string
  name: ReturnType<typeof useHandle>
  problem: ApiProblem | undefined
  pending: boolean
  onSubmit: () => void
  onClose: () => void
  children?: ReactNode
}

/** The frame of every "create" dialog: nothing that was typed is lost when the API refuses. */
export function CreateForm({ title, name, problem, pending, onSubmit, onClose, children }: CreateFormProps) {
  const [tried, setTried] = useState(false)
  const ready = name.displayName.trim() !== '' && name.valid && name.availability?.available !== false
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={title}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          setTried(true)
          if (ready && !pending) onSubmit()
        }}
      >
        <NameFields name={name} problem={problem} tried={tried} />
        {children}
        <ProblemText problem={problem} except={['displayName', 'handle']} />
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>{strings.cancel}</Button>
          <Button look="solid" type="submit" aria-busy={pending}>
            {pending ? words.creating : title}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
