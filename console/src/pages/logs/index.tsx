import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useParams, useSearch } from '@tanstack/react-router'
import { Bookmark, Columns3, Download, Pause, Play, RotateCw } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import { type LogLineRowFragment, LogsDocument } from '@/api/generated/telemetry'
import { integrationQuery } from '@/api/queries'
import { LINES, logLevelsQuery, logsQuery } from '@/api/telemetry-queries'
import { strings } from '@/strings/common'
import { logs as words } from '@/strings/logs'
import { missing } from '@/strings/shell'
import { Button, buttonClass } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { FilterField } from '@/ui/filter-field'
import { MoreFilters } from '@/ui/more-filters'
import { PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty, Missing, Skeleton } from '@/ui/states'
import { StatusFilter } from '@/ui/status-filter'
import { Switch } from '@/ui/switch'
import { SEVERITIES, SPANS } from '@/util/choices'
import { lists } from '@/util/cli-lists'
import { serverNow } from '@/util/clock'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import { LOG_COLUMNS_MAX, type LogsSearch, type PlaceSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { PlacePicker } from '../access/place-picker'
import { downloadAddress, logFilter } from './filter'
import { Histogram } from './histogram'
import { LineHead, LogLine } from './line'
import { TimeBar } from './time-bar'
import { useTail } from './use-tail'

const ColumnsMenu = lazily(async () => (await import('./columns-menu')).ColumnsMenu)
const SavedQueries = lazily(async () => (await import('./saved')).SavedQueries)
const ContextDialog = lazily(async () => (await import('./context')).ContextDialog)

/** What the programs say, of everything that the viewer may read. */
export function LogsPage() {
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_LOGS" title={words.title} what={words.title}>
      <LogsOf title={words.title} place={{}} picks />
    </OpenTo>
  )
}

export function IntegrationLogsPage() {
  const { project, integration } = useParams({ from: `/shell${PATH.integrationLogs}` })
  const query = useQuery(integrationQuery(project, integration))
  if (query.data === null) return <Missing what={missing.kinds.integration} />
  const name = query.data?.displayName ?? integration
  const place = query.data && { name, permissions: query.data.permissions }
  return (
    <OpenTo permission="OBSERVABILITY_MGT_VIEW_LOGS" title={words.of(name)} what={words.title} place={place}>
      <LogsOf title={words.of(name)} early={!query.data} place={{ project, integration }} />
    </OpenTo>
  )
}

type OfProps = { title: string; early?: boolean; place: PlaceSearch; picks?: boolean }

function LogsOf({ title, early, place, picks = false }: OfProps) {
  const search: LogsSearch = useSearch({ strict: false })
  const change = useSearchState<LogsSearch>()
  const [asked, setAsked] = useState(0)
  const [around, setAround] = useState<LogLineRowFragment>()
  const [holding, setHolding] = useState(false)
  const [paused, setPaused] = useState(false)
  const key = JSON.stringify([search, place])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the time is counted from when something was asked
  const filter = useMemo(() => logFilter({ ...search, ...place }, serverNow()), [key, asked])
  const live = Boolean(search.live) && !search.to && !search.status
  const newestFirst = live || !search.oldest
  const query = useInfiniteQuery({ ...logsQuery(filter, newestFirst), placeholderData: keepPreviousData })
  const levels = useQuery({ ...logLevelsQuery(filter), placeholderData: keepPreviousData })
  const arrival = query.isPlaceholderData ? undefined : query.data?.pages[0]?.arrival
  const tail = useTail(filter, live ? arrival : undefined, holding || paused)
  const read = query.data?.pages.flatMap(({ nodes }) => nodes) ?? []
  const arrived = new Set(tail.lines.map(({ id }) => id))
  const lines = [...tail.lines, ...read.filter(({ id }) => !arrived.has(id))]
  const columns = search.columns ?? []
  const setColumns = (next: string[]) =>
    change({ columns: next.length > 0 ? next.slice(0, LOG_COLUMNS_MAX) : undefined }, true)
  const toggleColumn = (name: string) =>
    setColumns(columns.includes(name) ? columns.filter((each) => each !== name) : [...columns, name])
  const [format, setFormat] = useState<keyof typeof words.formats>('text')
  const clear = () =>
    change({
      level: undefined,
      search: undefined,
      token: undefined,
      trace: undefined,
      status: undefined,
      calls: undefined,
      runtime: undefined,
      from: undefined,
      to: undefined,
    })
  const { level, search: phrase, token, trace, runtime, status } = search
  const filtered = [level, phrase, token, trace, runtime, status].some(Boolean)
  return (
    <>
      <PageHead
        title={title}
        early={early}
        actions={
          <>
            <CopyCli command={lists.logs({ ...search, ...place, live: live || undefined })} />
            <CopyGraphql document={LogsDocument} variables={{ filter, newestFirst, first: LINES }} />
            <Saved search={{ ...search, ...place }} />
            <Choose
              label={words.format}
              value={format}
              onChange={(next) => setFormat(next ?? 'text')}
              choices={Object.entries(words.formats) as [keyof typeof words.formats, string][]}
            />
            <a href={downloadAddress(filter, format)} download className={buttonClass()} data-tip={words.downloadTip}>
              <Download size={14} aria-hidden />
              {words.download}
            </a>
          </>
        }
      />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        {picks && <PlacePicker place={search} onChange={change} />}
        <Choose
          label={words.level}
          all={words.allLevels}
          value={search.level}
          onChange={(level) => change({ level }, true)}
          choices={SEVERITIES.map((level) => [level, words.andWorse(words.levels[level])] as const)}
        />
        <Choose
          label={words.span}
          value={search.span ?? '1h'}
          onChange={(span) => change({ span, from: undefined, to: undefined }, true)}
          choices={SPANS.map((span) => [span, words.spans[span]] as const)}
        />
        <SearchBox
          label={words.search}
          value={search.search ?? ''}
          onSearch={(text) => change({ search: text || undefined }, true)}
        />
        <MoreFilters used={Boolean(search.token || search.trace || search.status)}>
          <FilterField
            label={words.token}
            placeholder={words.tokenHint}
            value={search.token ?? ''}
            onChange={(token) => change({ token }, true)}
          />
          <FilterField
            label={words.trace}
            placeholder={words.traceHint}
            value={search.trace ?? ''}
            onChange={(trace) => change({ trace }, true)}
          />
          <StatusFilter search={search} onChange={(next) => change({ ...next, live: undefined }, true)} />
        </MoreFilters>
        {(filtered || search.from) && <Button onClick={clear}>{strings.clearFilters}</Button>}
        <Columns lines={lines} chosen={columns} onChange={setColumns} />
        <span className="ml-auto flex flex-wrap items-center gap-2 text-muted">
          {live && (
            <Button onClick={() => setPaused(!paused)} data-tip={words.pauseTip}>
              {paused ? <Play size={14} aria-hidden /> : <Pause size={14} aria-hidden />}
              {paused ? words.resume : words.pause}
            </Button>
          )}
          {words.live}
          <Switch
            label={words.live}
            on={live}
            tip={words.liveOn}
            blocked={search.status && words.liveStatus}
            onPress={() =>
              change({ live: live ? undefined : true, to: undefined, from: live ? search.from : undefined })
            }
          />
          <Choose
            label={words.order}
            value={newestFirst ? 'newest' : 'oldest'}
            onChange={(order) => change({ oldest: order === 'oldest' ? true : undefined, live: undefined })}
            choices={[['newest', words.newest] as const, ['oldest', words.oldest] as const]}
          />
          <Button onClick={() => setAsked(asked + 1)} aria-label={words.again}>
            <RotateCw size={14} aria-hidden />
          </Button>
        </span>
      </div>
      {/* As high as what comes: the lines below it do not move. */}
      {levels.isPending && <div className="mb-3 h-[127px] rounded-lg border border-line bg-surface" />}
      {levels.data && <Histogram levels={levels.data} onZoom={(from, to) => change({ from, to, live: undefined })} />}
      <TimeBar search={search} onChange={change} />
      {live && tail.line?.state === 'cut-off' && (
        <p role="status" className="mb-2 text-warn">
          {words.cut}
        </p>
      )}
      {tail.skipped > 0 && (
        <p role="status" className="mb-2 text-warn">
          {words.skipped(tail.skipped)}
        </p>
      )}
      {tail.waiting.length > 0 && (
        <Button
          className="mb-2"
          onClick={() => {
            setHolding(false)
            setPaused(false)
          }}
        >
          {words.paused(tail.waiting.length)}
        </Button>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: pointing at the list only holds back what is new */}
      <div
        className="rounded-lg border border-line bg-surface"
        onPointerEnter={() => setHolding(true)}
        onPointerLeave={() => setHolding(false)}
        onFocus={() => setHolding(true)}
        onBlur={() => setHolding(false)}
      >
        {query.isPending ? (
          <Skeleton label={words.what} />
        ) : query.isError && lines.length === 0 ? (
          <CouldNotLoad what={words.what} error={query.error} onRetry={() => query.refetch()} />
        ) : lines.length === 0 ? (
          filtered ? (
            <Empty title={strings.noneMatch} action={<Button onClick={clear}>{strings.clearFilters}</Button>} />
          ) : (
            <Empty title={words.emptyTitle}>{words.emptyText}</Empty>
          )
        ) : (
          <>
            {columns.length > 0 && <LineHead columns={columns} />}
            <ol aria-label={words.title}>
              {lines.map((line) => (
                <LogLine
                  key={line.id}
                  line={line}
                  columns={columns}
                  onColumn={toggleColumn}
                  onTrace={(trace) => change({ trace, search: undefined, token: undefined, level: undefined })}
                  onContext={setAround}
                />
              ))}
            </ol>
          </>
        )}
        {query.hasNextPage && (
          <div className="border-t border-line px-3.5 py-2">
            <Button small onClick={() => query.fetchNextPage()} aria-busy={query.isFetchingNextPage}>
              {strings.showMore}
            </Button>
            {query.isFetchNextPageError && <span className="ml-3 text-bad">{strings.couldNotLoad(words.what)}</span>}
          </div>
        )}
      </div>
      {around && <ContextDialog line={around} onClose={() => setAround(undefined)} />}
    </>
  )
}

/** A button with something that hangs on it; once asked for it stays, so that it can close as it opened. */
function useHanging() {
  const anchor = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  const [asked, setAsked] = useState(false)
  if (open && !asked) setAsked(true)
  const button = {
    ref: anchor,
    'aria-haspopup': 'dialog',
    'aria-expanded': open,
    onClick: () => setOpen(!open),
  } as const
  return { button, asked, popup: { open, onOpenChange: setOpen, anchor } }
}

function Saved({ search }: { search: LogsSearch }) {
  const { button, asked, popup } = useHanging()
  return (
    <>
      <Button {...button}>
        <Bookmark size={14} aria-hidden />
        {words.saved}
      </Button>
      {asked && <SavedQueries {...popup} search={search} />}
    </>
  )
}

type ColumnsProps = { lines: LogLineRowFragment[]; chosen: string[]; onChange: (chosen: string[]) => void }

function Columns(props: ColumnsProps) {
  const { button, asked, popup } = useHanging()
  return (
    <span className="max-md:hidden">
      <Button {...button}>
        <Columns3 size={14} aria-hidden />
        {words.columnsOf}
      </Button>
      {asked && <ColumnsMenu {...popup} {...props} />}
    </span>
  )
}
