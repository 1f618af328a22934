import { Plus, X } from 'lucide-react'
import type { Header } from '@/api/try-it'
import { tryIt as words } from '@/strings/try-it'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { CopyButton, CopyCli } from '@/ui/copy'
import { Field, inputClass } from '@/ui/field'
import { Card } from '@/ui/page'
import { Said } from '@/ui/said'
import { TextField } from '@/ui/text-field'
import { type Asked, cliOf, curlOf, type Draft, fieldOf, missingOf, takesBody, targetOf } from './compose'
import { METHODS, type Operation } from './operations'

type ComposerProps = {
  operation: Operation | undefined
  draft: Draft
  origin: string
  /** Whom it is sent to; nobody where the runtime has no port. */
  asked: Asked | undefined
  blocked: string | undefined
  isSending: boolean
  onChange: (draft: Draft) => void
  onSend: () => void
  onStop: () => void
}

/** The request, field by field. */
export function Composer(props: ComposerProps) {
  const { operation, draft, origin, asked, blocked, isSending, onChange, onSend, onStop } = props
  const missing = missingOf(operation, draft)
  const unfilled = missing.length > 0 ? words.missing(missing.map(({ name }) => `\`${name}\``).join(', ')) : undefined
  const reason = blocked ?? unfilled
  const target = targetOf(operation, draft)
  return (
    <Card
      title={operation?.summary || words.request}
      label={words.request}
      beside={operation && <span className="text-[12px] text-muted">{words.from(operation.source)}</span>}
      actions={
        <>
          {asked && <CopyCli command={cliOf(asked, operation, draft)} />}
          <CopyButton look="quiet" text={curlOf(origin, operation, draft)} label={words.curl} />
        </>
      }
    >
      <form
        className="px-3.5 py-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (!reason && !isSending) onSend()
        }}
      >
        {operation?.description && (
          <p className="mb-3 max-w-prose whitespace-pre-line text-muted">{operation.description}</p>
        )}
        {operation ? (
          <Parameters operation={operation} draft={draft} onChange={onChange} />
        ) : (
          <Free draft={draft} onChange={onChange} />
        )}
        <Headers headers={draft.headers} onChange={(headers) => onChange({ ...draft, headers })} />
        {takesBody(draft.method) && <Body operation={operation} draft={draft} onChange={onChange} />}
        <p className="mb-3 text-[12px] text-muted">
          {words.target}{' '}
          <code className="break-all text-ink">
            {draft.method} {target}
          </code>
        </p>
        {unfilled && (
          <p className="mb-2 text-muted">
            <Said text={unfilled} />
          </p>
        )}
        <div className="flex gap-2">
          <Button type="submit" look="solid" blocked={reason} aria-busy={isSending}>
            {isSending ? words.sending : words.send}
          </Button>
          {isSending && <Button onClick={onStop}>{words.stop}</Button>}
        </div>
      </form>
    </Card>
  )
}

type PartProps = { draft: Draft; onChange: (draft: Draft) => void }

function Parameters({ operation, draft, onChange }: PartProps & { operation: Operation }) {
  if (operation.parameters.length === 0) return null
  return (
    <fieldset className="grid gap-x-4 sm:grid-cols-2">
      <legend className="sr-only">{words.parameters}</legend>
      {operation.parameters.map((each) => (
        <TextField
          key={fieldOf(each)}
          label={each.name}
          value={draft.values[fieldOf(each)] ?? ''}
          onChange={(value) => onChange({ ...draft, values: { ...draft.values, [fieldOf(each)]: value } })}
          mono
          hint={
            <>
              {words.places[each.in]} · <code>{each.kind}</code>
              {each.required && ` · ${words.required}`}
              {each.description && <span className="block">{each.description}</span>}
            </>
          }
        />
      ))}
    </fieldset>
  )
}

function Free({ draft, onChange }: PartProps) {
  return (
    <div className="grid gap-x-4 sm:grid-cols-[auto_1fr]">
      <Field label={words.method}>
        {(wiring) => (
          <select
            {...wiring}
            value={draft.method}
            onChange={(event) => onChange({ ...draft, method: event.target.value })}
            className="h-8 rounded-md border border-edge bg-surface px-2.5"
          >
            {METHODS.map((method) => (
              <option key={method}>{method}</option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        label={words.path}
        value={draft.path}
        onChange={(path) => onChange({ ...draft, path })}
        hint={<Said text={words.pathHint} />}
        mono
      />
    </div>
  )
}

function Headers({ headers, onChange }: { headers: Header[]; onChange: (headers: Header[]) => void }) {
  const set = (index: number, part: Partial<Header>) =>
    onChange(headers.map((each, at) => (at === index ? { ...each, ...part } : each)))
  return (
    <fieldset className="mb-3.5">
      <legend className="mb-1 font-medium">{words.headers}</legend>
      {headers.map(({ name, value }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a header is nothing but its place until it has a name
        <div key={index} className="mb-1.5 flex gap-1.5">
          <input
            aria-label={words.headerName(index + 1)}
            value={name}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => set(index, { name: event.target.value })}
            className={`${inputClass} mono min-w-0 flex-1`}
          />
          <input
            aria-label={words.headerValue(index + 1)}
            value={value}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => set(index, { value: event.target.value })}
            className={`${inputClass} mono min-w-0 flex-[2]`}
          />
          <Button
            look="quiet"
            aria-label={words.removeHeader(index + 1)}
            onClick={() => onChange(headers.filter((_, at) => at !== index))}
          >
            <X size={14} aria-hidden />
          </Button>
        </div>
      ))}
      <Button small look="quiet" onClick={() => onChange([...headers, { name: '', value: '' }])}>
        <Plus size={13} aria-hidden />
        {words.addHeader}
      </Button>
    </fieldset>
  )
}

function Body({ operation, draft, onChange }: PartProps & { operation: Operation | undefined }) {
  const types = [...new Set([...(operation?.bodies ?? []).map(({ type }) => type), 'application/json', 'text/plain'])]
  const kind = operation?.bodies.find(({ type }) => type === draft.bodyType)?.kind
  return (
    <>
      <Field label={words.body} hint={kind && <code className="break-all">{kind}</code>}>
        {(wiring) => (
          <textarea
            {...wiring}
            value={draft.body}
            rows={Math.min(16, Math.max(4, draft.body.split('\n').length + 1))}
            spellCheck={false}
            onChange={(event) => onChange({ ...draft, body: event.target.value })}
            className="mono w-full rounded-md border border-edge bg-surface px-2.5 py-1.5 text-[12.5px]"
          />
        )}
      </Field>
      <div className="mb-3.5">
        <Choose
          label={words.bodyType}
          all={words.otherType}
          value={draft.bodyType || undefined}
          onChange={(next) => {
            const example = operation?.bodies.find(({ type }) => type === next)?.example
            onChange({ ...draft, bodyType: next ?? '', body: example || draft.body })
          }}
          choices={types.map((type) => [type, type])}
        />
      </div>
    </>
  )
}
