import { useSuspenseQuery } from '@tanstack/react-query'
import { viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { metrics as words } from '@/strings/metrics'
import { Button } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import type { MetricsSearch } from '@/util/search'

type NothingProps = {
  view: MetricsSearch['view']
  filtered: boolean
  onClear: () => void
  onWider?: (() => void) | undefined
}

/** Nothing arrived: what to do so that something does, with this control plane's own address. */
export function Nothing({ view, filtered, onClear, onWider }: NothingProps) {
  const { runtimeUrl } = useSuspenseQuery(viewerQuery).data.controlPlane
  const title = view === 'processes' ? words.emptyProcesses : view === 'calls' ? words.emptyCalls : words.emptyTitle
  const settings = [
    `OTEL_EXPORTER_OTLP_ENDPOINT=${runtimeUrl}`,
    'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
    'OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20phi_…"',
  ].join('\n')
  return (
    <section className="rounded-lg border border-line bg-surface">
      <Empty
        title={title}
        action={
          <span className="flex gap-2">
            {filtered && <Button onClick={onClear}>{strings.clearFilters}</Button>}
            {onWider && <Button onClick={onWider}>{words.widerTime}</Button>}
          </span>
        }
      >
        <p>
          <Said text={view === 'processes' ? words.emptyProcessText : words.emptyPython} />
        </p>
        {view !== 'processes' && <p className="mt-2">{words.emptyOther}</p>}
      </Empty>
      {view !== 'processes' && (
        <div className="max-w-2xl px-3.5 pb-4">
          <CodeBlock label={words.emptySdk} code={settings} />
          <p className="mt-2 text-muted">{words.emptyFurther}</p>
        </div>
      )}
    </section>
  )
}
