import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { CircleCheck } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { alertLimitsQuery, alertsQuery, type Limits } from '@/api/alerts-queries'
import { type AlertFilter, type AlertRowFragment, AlertsDocument } from '@/api/generated/alerts'
import { PAGE_SIZE } from '@/api/queries'
import { rules as ruleWords, alerts as words } from '@/strings/alerts'
import { strings } from '@/strings/common'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { FilterField } from '@/ui/filter-field'
import { LinkButton } from '@/ui/link-button'
import { Card } from '@/ui/page'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { AlertsSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { PlacePicker, placeInput } from '../access/place-picker'
import { instant } from '../audit/filter'
import { gravestFirst, heldBack } from './alert'
import { AlertsFrame } from './frame'
import { AlertItem } from './item'

const AlertPanel = lazily(async () => (await import('./panel')).AlertPanel)
const SilenceForm = lazily(async () => (await import('./silence-form')).SilenceForm)

/** Of what has ended the screen shows less: the page is about what is wrong now. */
const HISTORY = 20

/** What is wrong now, then what may become so, then what was. */
export function AlertsPage() {
  return (
    <OpenTo permission="INTEGRATION_MGT_VIEW" title={words.title} what={words.title}>
      <Alerts />
    </OpenTo>
  )
}

function Alerts() {
  const search = useSearch({ from: `/shell${PATH.alerts}` })
  const change = useSearchState<AlertsSearch>()
  const blocked = useBlocked()('ALERT_MGT_MANAGE')
  const [silencing, setSilencing] = useState<AlertRowFragment>()
  const scope: AlertFilter = { ...placeInput(search), rule: search.rule ?? null }
  const firing = useAlerts({ ...scope, states: ['FIRING'] })
  const pending = useAlerts({ ...scope, states: ['PENDING'] })
  const history = { ...scope, states: ['RESOLVED' as const], from: instant(search.from), to: instant(search.to) }
  const resolved = useAlerts(history, HISTORY)
  const limits = useQuery(alertLimitsQuery)
  const ruleOf = (alert: AlertRowFragment | undefined) => limits.data?.find(({ id }) => id === alert?.rule.id)
  const opened = [...firing.rows, ...pending.rows, ...resolved.rows].find(({ id }) => id === search.alert)
  const loaded = firing.query.isSuccess && pending.query.isSuccess && resolved.query.isSuccess
  const filtered = Boolean(search.project || search.environment || search.rule)
  const clear = () => change({ project: undefined, integration: undefined, environment: undefined, rule: undefined })
  const item = (alert: AlertRowFragment) => (
    <AlertItem key={alert.id} alert={alert} rule={ruleOf(alert)} blocked={blocked} onSilence={setSilencing} />
  )
  return (
    <AlertsFrame
      title={words.title}
      actions={
        <>
          <CopyCli command="pilothouse alerts list" />
          <CopyGraphql
            document={AlertsDocument}
            variables={{ filter: { ...scope, states: ['FIRING'] }, first: PAGE_SIZE }}
          />
        </>
      }
    >
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <PlacePicker place={search} onChange={change} />
        <Choose
          label={words.rule}
          all={words.allRules}
          value={search.rule}
          onChange={(rule) => change({ rule }, true)}
          choices={(limits.data ?? []).map(({ id, name }) => [id, name] as const)}
        />
        {filtered && (
          <Button look="quiet" onClick={clear}>
            {strings.clearFilters}
          </Button>
        )}
        <span className="ml-auto text-[12px] text-muted">{words.again}</span>
      </div>
      <Section
        title={words.firingTitle}
        what={words.firingWhat}
        // While there is more to read the order is that of the API: otherwise every page would mix into the one before.
        listed={firing.query.hasNextPage ? firing : { ...firing, rows: gravestFirst(firing.rows) }}
        item={item}
        empty={<NothingFires limits={limits.data} filtered={filtered} onClear={clear} />}
      />
      {(pending.rows.length > 0 || pending.query.isError) && (
        <Section
          title={words.pendingTitle}
          about={words.pendingAbout}
          what={words.pendingWhat}
          listed={pending}
          item={item}
        />
      )}
      <Section
        title={words.resolvedTitle}
        about={words.resolvedAbout}
        what={words.resolvedWhat}
        listed={resolved}
        item={item}
        empty={<Empty title={words.noHistory}>{words.noHistoryText}</Empty>}
        actions={
          // One below the other on narrow screens.
          <span className="flex min-w-0 flex-wrap justify-end gap-1.5">
            <FilterField
              type="datetime-local"
              label={words.from}
              value={search.from ?? ''}
              onChange={(from) => change({ from })}
            />
            <FilterField
              type="datetime-local"
              label={words.to}
              value={search.to ?? ''}
              onChange={(until) => change({ to: until })}
            />
          </span>
        }
      />
      {search.alert && !silencing && (opened || loaded) && (
        <AlertPanel
          alert={opened}
          rule={ruleOf(opened)}
          blocked={blocked}
          onSilence={setSilencing}
          onClose={() => change({ alert: undefined })}
        />
      )}
      {silencing && (
        <SilenceForm
          rule={silencing.rule.id}
          place={{
            project: silencing.project?.handle,
            integration: silencing.integration?.handle,
            environment: silencing.environment?.handle,
          }}
          onClose={() => setSilencing(undefined)}
        />
      )}
    </AlertsFrame>
  )
}

function useAlerts(filter: AlertFilter, first = PAGE_SIZE) {
  const query = useInfiniteQuery({ ...alertsQuery(filter, first), placeholderData: keepPreviousData })
  const rows = query.data?.pages.flatMap(({ nodes }) => nodes) ?? []
  return { query, rows, total: query.data?.pages[0]?.totalCount ?? rows.length }
}

type SectionProps = {
  title: string
  about?: string
  what: string
  listed: ReturnType<typeof useAlerts>
  item: (alert: AlertRowFragment) => ReactNode
  empty?: ReactNode
  actions?: ReactNode
}

/** Alerts of one state. What begins while somebody points at the list waits, so that nothing moves under the pointer. */
function Section({ title, about, what, listed: { query, rows, total }, item, empty, actions }: SectionProps) {
  const [known, setKnown] = useState<ReadonlySet<string>>()
  const { shown, held } = heldBack(rows, known)
  const hold = () => !known && setKnown(new Set(rows.map(({ id }) => id)))
  const release = () => setKnown(undefined)
  // What is asked for by a press is shown, though it is new.
  const more = async () => {
    release()
    await query.fetchNextPage()
  }
  return (
    <Card
      label={title}
      title={
        <>
          {title}
          {query.isSuccess && <span className="nums font-normal text-muted">{total}</span>}
        </>
      }
      beside={about && <span className="text-[12px] text-muted">{about}</span>}
      actions={actions}
    >
      {query.isPending ? (
        <Skeleton label={what} rows={2} />
      ) : query.isError && rows.length === 0 ? (
        <CouldNotLoad what={what} error={query.error} onRetry={() => void query.refetch()} />
      ) : rows.length === 0 ? (
        empty
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: pointing at the list only holds back what is new
        <div onPointerEnter={hold} onPointerLeave={release} onFocus={hold} onBlur={release}>
          {held > 0 && (
            <Button small look="solid" className="mx-3.5 mt-2" onClick={release}>
              {words.held(held)}
            </Button>
          )}
          <ul aria-label={title} className="divide-y divide-line">
            {shown.map(item)}
          </ul>
        </div>
      )}
      {query.hasNextPage && (
        <div className="nums flex items-center gap-3 border-t border-line px-3.5 py-2 text-muted">
          <Button small onClick={() => void more()} aria-busy={query.isFetchingNextPage}>
            {strings.showMore}
          </Button>
          {strings.shown(rows.length, total)}
          {query.isFetchNextPageError && <span className="text-bad">{strings.couldNotLoad(what)}</span>}
        </div>
      )}
    </Card>
  )
}

type NothingFiresProps = { limits: Limits[] | undefined; filtered: boolean; onClear: () => void }

/** Calm is said only where somebody watches. */
function NothingFires({ limits, filtered, onClear }: NothingFiresProps) {
  const blocked = useBlocked()('ALERT_MGT_MANAGE')
  if (filtered)
    return (
      <Empty title={words.quiet} action={<Button onClick={onClear}>{strings.clearFilters}</Button>}>
        {strings.noneMatch}
      </Empty>
    )
  if (limits?.length === 0)
    return (
      <Empty
        title={words.noRules}
        action={
          <LinkButton link={to.alertRules({ create: true })} look="solid" blocked={blocked}>
            {ruleWords.create}
          </LinkButton>
        }
      >
        {words.noRulesText}
      </Empty>
    )
  return (
    <div className="flex gap-2.5 px-3.5 py-3">
      <CircleCheck size={16} className="mt-0.5 text-ok" aria-hidden />
      <div>
        <p className="font-medium">{words.quiet}</p>
        <p className="text-muted">{words.quietText}</p>
      </div>
    </div>
  )
}
