import type { ReactNode } from 'react'
import type { ApiProblem } from '@/api/problem'
import { strings } from '@/strings/common'
import { Button } from './button'
import { Dialog } from './dialog'
import { ProblemText } from './problem-text'

type FormDialogProps = {
  title: string
  about?: ReactNode
  submit: string
  pending: boolean
  problem: ApiProblem | undefined
  /** The fields that show their refusals themselves. */
  fields: string[]
  onSubmit: () => void
  onClose: () => void
  wide?: boolean
  children: ReactNode
}

/** A form in a dialog: nothing that was typed is lost when the API refuses. */
export function FormDialog(props: FormDialogProps) {
  const { title, about, submit, pending, problem, fields, onSubmit, onClose, wide = false, children } = props
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={title} about={about} wide={wide}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (!pending) onSubmit()
        }}
      >
        {children}
        <ProblemText problem={problem} except={fields} />
        <div className="mt-4 flex justify-end gap-2">
          <Button onClick={onClose}>{strings.cancel}</Button>
          <Button look="solid" type="submit" aria-busy={pending}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
