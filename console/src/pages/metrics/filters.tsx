import { useQuery } from '@tanstack/react-query'
import { environmentsQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { metrics as words } from '@/strings/metrics'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { FilterField, FromTo } from '@/ui/filter-field'
import { METRIC_PARTS, METRIC_SHARES, SPANS } from '@/util/choices'
import type { MetricsSearch } from '@/util/search'
import { PlacePicker } from '../access/place-picker'
import { instant, localText, type Window } from './window'

type FiltersProps = {
  search: MetricsSearch
  window: Window
  onChange: (next: Partial<MetricsSearch>, replace?: boolean) => void
  onClear: () => void
  filtered: boolean
  /** Whether the place is chosen here, and not by the page's address. */
  picks: boolean
  runtimes: readonly (readonly [string, string])[]
  services: string[]
  resources: string[]
}

const itself = (names: string[]) => names.map((name) => [name, name] as const)

/** Where, which time, and what is told apart. */
export function Filters(props: FiltersProps) {
  const { search, window, onChange, onClear, filtered, picks, runtimes, services, resources } = props
  const isTraffic = search.view !== 'processes'
  return (
    <div className="mb-3 flex flex-wrap items-center gap-2">
      <Time search={search} window={window} onChange={onChange} />
      {picks ? (
        <PlacePicker place={search} onChange={(place) => onChange({ ...place, runtime: undefined })} />
      ) : (
        <EnvironmentChoice search={search} onChange={onChange} />
      )}
      <Choose
        label={words.runtime}
        all={words.allRuntimes}
        value={search.runtime}
        onChange={(runtime) => onChange({ runtime }, true)}
        choices={runtimes}
        className="w-auto max-w-48"
      />
      {isTraffic && (
        <>
          <Choose
            label={words.service}
            all={words.allServices}
            value={search.service}
            onChange={(service) => onChange({ service, resource: undefined }, true)}
            choices={itself(services)}
            className="w-auto max-w-48"
          />
          <Choose
            label={words.resource}
            all={words.allResources}
            value={search.resource}
            onChange={(resource) => onChange({ resource }, true)}
            choices={itself(resources)}
            className="w-auto max-w-56"
          />
          <Choose
            label={words.by}
            all={words.together}
            value={search.by}
            onChange={(by) => onChange({ by, ...(by ? { [by]: undefined } : { share: undefined }) }, true)}
            choices={METRIC_PARTS.filter((part) => picks || part !== 'integration').map(
              (part) => [part, words.parts[part]] as const,
            )}
          />
          {search.by && (
            <Choose
              label={words.share}
              value={search.share ?? 'p95'}
              onChange={(share) => onChange({ share }, true)}
              choices={METRIC_SHARES.map((share) => [share, share] as const)}
            />
          )}
        </>
      )}
      {filtered && <Button onClick={onClear}>{strings.clearFilters}</Button>}
    </div>
  )
}

const CUSTOM = 'custom'
type TimeProps = Pick<FiltersProps, 'search' | 'window' | 'onChange'>

function Time({ search, window, onChange }: TimeProps) {
  const { fromS, toS } = window
  const isCustom = search.from !== undefined
  const read = (text: string | undefined) => (text ? new Date(text).toISOString() : undefined)
  return (
    <>
      <Choose<(typeof SPANS)[number] | typeof CUSTOM>
        label={words.span}
        value={isCustom ? CUSTOM : (search.span ?? '1h')}
        onChange={(span) =>
          span === CUSTOM
            ? onChange({ from: instant(fromS), to: instant(toS), at: undefined })
            : onChange({ span, from: undefined, to: undefined, at: undefined }, true)
        }
        choices={[...SPANS.map((span) => [span, words.spans[span]] as const), [CUSTOM, words.custom] as const]}
      />
      {isCustom && (
        <FromTo>
          <FilterField
            type="datetime-local"
            label={words.from}
            value={localText(fromS)}
            onChange={(from) => onChange({ from: read(from) ?? instant(fromS), at: undefined })}
          />
          <FilterField
            type="datetime-local"
            label={words.to}
            value={search.to ? localText(toS) : ''}
            onChange={(to) => onChange({ to: read(to), at: undefined })}
          />
        </FromTo>
      )}
    </>
  )
}

function EnvironmentChoice({ search, onChange }: Pick<FiltersProps, 'search' | 'onChange'>) {
  const environments = useQuery(environmentsQuery)
  return (
    <Choose
      label={words.environment}
      all={words.allEnvironments}
      value={search.environment}
      onChange={(environment) => onChange({ environment, runtime: undefined }, true)}
      choices={(environments.data?.nodes ?? []).map(({ handle, displayName }) => [handle, displayName] as const)}
    />
  )
}
