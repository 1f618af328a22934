import { useQuery } from '@tanstack/react-query'
import type { LinkProps } from '@tanstack/react-router'
import { RotateCw, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { environmentsQuery } from '@/api/queries'
import { traceStoreQuery } from '@/api/trace-queries'
import { strings } from '@/strings/common'
import { place } from '@/strings/place'
import { traces as words } from '@/strings/traces'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { FilterField } from '@/ui/filter-field'
import { MoreFilters } from '@/ui/more-filters'
import { PageHead } from '@/ui/page'
import { Said } from '@/ui/said'
import { SearchBox } from '@/ui/search-box'
import { StatusFilter } from '@/ui/status-filter'
import { Tabs } from '@/ui/tabs'
import { SPANS } from '@/util/choices'
import { to } from '@/util/paths'
import type { PlaceSearch, TracesSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { PlacePicker } from '../access/place-picker'
import { instantOf, isNarrow, localInput, NO_FILTER } from './filter'

type FrameProps = {
  title: string
  /** The name in the title has not come yet. */
  early?: boolean | undefined
  /** Empty on the pages of the whole organization, where a place is picked. */
  place: PlaceSearch
  search: TracesSearch
  actions: ReactNode
  /** The map takes a place and a time alone. */
  map?: boolean
  onAgain: () => void
  children: ReactNode
}

/** Title, tabs and filters: the same for the list and the map, so that going from one to the other keeps what was chosen. */
export function TracesFrame({ title, early, place, search, actions, map = false, onAgain, children }: FrameProps) {
  const { project, integration } = place
  const kept: TracesSearch = { ...search, ...(integration ? { project: undefined, integration: undefined } : {}) }
  const tabs: { name: string; link: LinkProps }[] =
    project && integration
      ? [
          { name: words.tabs.list, link: to.integrationTraces(project, integration, kept) },
          { name: words.tabs.map, link: to.integrationTraceMap(project, integration, kept) },
        ]
      : [
          { name: words.tabs.list, link: to.traces(kept) },
          { name: words.tabs.map, link: to.traceMap(kept) },
        ]
  return (
    <>
      <PageHead title={title} early={early} actions={actions} />
      <Tabs label={words.tabs.label} tabs={tabs} />
      <Degraded />
      <Filters search={search} picks={!integration} map={map} onAgain={onAgain} />
      {children}
    </>
  )
}

type FiltersProps = { search: TracesSearch; picks: boolean; map: boolean; onAgain: () => void }

function Filters({ search, picks, map, onAgain }: FiltersProps) {
  const change = useSearchState<TracesSearch>()
  const { filters } = words
  return (
    <div className="mb-3 flex flex-wrap items-center gap-2">
      {picks ? (
        <PlacePicker place={search} onChange={change} />
      ) : (
        <EnvironmentPicker search={search} onChange={change} />
      )}
      <Choose
        label={filters.span}
        value={search.from ? undefined : (search.span ?? '1h')}
        {...(search.from ? { all: filters.chosen } : {})}
        onChange={(span) => change({ span, from: undefined, to: undefined }, true)}
        choices={SPANS.map((span) => [span, filters.spans[span]] as const)}
      />
      <MoreFilters used={Boolean(search.from || search.to) || (!map && isNarrow(search))}>
        <FilterField
          label={filters.from}
          type="datetime-local"
          value={localInput(search.from)}
          onChange={(from) => change({ from: instantOf(from), to: from ? search.to : undefined }, true)}
        />
        <FilterField
          label={filters.to}
          type="datetime-local"
          value={localInput(search.to)}
          onChange={(end) => change({ to: instantOf(end), from: search.from ?? hourBefore(end) }, true)}
        />
        {!map && (
          <>
            <SearchBox
              label={filters.operation}
              value={search.operation ?? ''}
              onSearch={(text) => change({ operation: text || undefined }, true)}
            />
            <FilterField
              label={filters.service}
              placeholder={filters.serviceHint}
              value={search.service ?? ''}
              onChange={(service) => change({ service }, true)}
            />
            <FilterField
              label={filters.runtime}
              placeholder={filters.runtimeHint}
              value={search.runtime ?? ''}
              onChange={(runtime) => change({ runtime }, true)}
            />
            <Slower value={search.slower} onChange={(slower) => change({ slower }, true)} />
            <StatusFilter search={search} onChange={(next) => change(next, true)} />
            <Choose
              label={filters.status}
              all={filters.anyStatus}
              value={search.failed ? 'failed' : undefined}
              onChange={(status) => change({ failed: status ? true : undefined }, true)}
              choices={[['failed', filters.failed] as const]}
            />
          </>
        )}
      </MoreFilters>
      {(isNarrow(search) || search.from) && <Button onClick={() => change(NO_FILTER)}>{strings.clearFilters}</Button>}
      <Button className="ml-auto" onClick={onAgain} aria-label={filters.again}>
        <RotateCw size={14} aria-hidden />
      </Button>
    </div>
  )
}

const HOUR_MS = 3_600_000
/** An end without a begin: the hour before it. */
const hourBefore = (end: string | undefined) => (end ? new Date(Date.parse(end) - HOUR_MS).toISOString() : undefined)

/** On the pages of an integration only the environment is left open. */
function EnvironmentPicker({ search, onChange }: { search: TracesSearch; onChange: (next: TracesSearch) => void }) {
  const environments = useQuery(environmentsQuery)
  return (
    <Choose
      label={place.environment}
      all={place.allEnvironments}
      value={search.environment}
      onChange={(environment) => onChange({ environment })}
      choices={(environments.data?.nodes ?? []).map(({ handle, displayName }) => [handle, displayName] as const)}
    />
  )
}

/** The least duration; what is no number is not taken. */
function Slower({ value, onChange }: { value: number | undefined; onChange: (value: number | undefined) => void }) {
  const { slower, slowerHint, ms } = words.filters
  const take = (text: string) => {
    const next = Number(text.replace(',', '.'))
    const settled = Number.isFinite(next) && next > 0 ? next : undefined
    if (settled !== value) onChange(settled)
  }
  return (
    <label className="flex items-center gap-1.5 text-muted">
      {slower}
      <input
        key={value}
        defaultValue={value}
        inputMode="decimal"
        placeholder={slowerHint}
        autoComplete="off"
        onBlur={(event) => take(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && take(event.currentTarget.value)}
        className="mono h-8 w-20 rounded-md border border-edge bg-surface px-2 text-right text-ink"
      />
      {ms}
    </label>
  )
}

/** What does not work in the store: an answer of a degraded store may lack something. */
function Degraded() {
  const { data } = useQuery(traceStoreQuery)
  if (!data) return null
  return (
    <p role="status" className="mb-3 flex items-start gap-2 rounded-lg bg-warn-soft px-3.5 py-2 text-warn">
      <TriangleAlert size={14} className="mt-0.5 shrink-0" aria-hidden />
      <span>
        <strong className="font-medium">{words.degraded}</strong> <Said text={data} />
      </span>
    </p>
  )
}
