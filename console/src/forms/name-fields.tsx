import { CircleAlert, CircleCheck } from 'lucide-react'
import type { ApiProblem } from '@/api/problem'
import { form as words } from '@/strings/tenancy'
import { Button } from '@/ui/button'
import { Field, inputClass } from '@/ui/field'
import type { useHandle } from './use-handle'

type NameFieldsProps = { name: ReturnType<typeof useHandle>; problem: ApiProblem | undefined; tried: boolean }

/** Display name and handle, as every "create" begins. */
export function NameFields({ name, problem, tried }: NameFieldsProps) {
  const { displayName, handle } = name
  const taken = name.availability?.available === false ? (name.availability.reason ?? words.badHandle) : undefined
  const wrongHandle = handle ? (name.valid ? taken : words.badHandle) : tried ? words.needHandle : undefined
  return (
    <>
      <Field
        label={words.displayName}
        error={problem?.of('displayName')?.message ?? (tried && !displayName.trim() ? words.needName : undefined)}
      >
        {(wiring) => (
          <input
            {...wiring}
            value={displayName}
            autoComplete="off"
            maxLength={200}
            onChange={(event) => name.setDisplayName(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <Field
        label={words.handle}
        error={wrongHandle ?? problem?.of('handle')?.message}
        hint={
          <>
            <HandleCheck name={name} />
            {words.handleHint}
          </>
        }
      >
        {(wiring) => (
          <input
            {...wiring}
            value={handle}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={64}
            onChange={(event) => name.setHandle(event.target.value)}
            className={`${inputClass} mono`}
          />
        )}
      </Field>
    </>
  )
}

function HandleCheck({ name }: { name: NameFieldsProps['name'] }) {
  const { availability, checkFailed, valid, handle, setHandle } = name
  const suggestion = availability?.suggestion
  return (
    <div role="status" className="mb-0.5 flex min-h-[18px] items-center gap-1.5">
      {availability?.available && (
        <span className="inline-flex items-center gap-1 text-ok">
          <CircleCheck size={12} aria-hidden /> {words.free}
        </span>
      )}
      {suggestion && (
        <Button small onClick={() => setHandle(suggestion)}>
          {words.take(suggestion)}
        </Button>
      )}
      {checkFailed && (
        <span className="inline-flex items-center gap-1 text-warn">
          <CircleAlert size={12} aria-hidden /> {words.couldNotCheck}
        </span>
      )}
      {handle && valid && !availability && !checkFailed && <span className="late">{words.checking}</span>}
    </div>
  )
}
