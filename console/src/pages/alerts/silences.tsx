import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { BellOff, Clock } from 'lucide-react'
import { useState } from 'react'
import { alertSilencesQuery } from '@/api/alerts-queries'
import { type AlertSilenceRowFragment, AlertSilencesDocument, EndAlertSilenceDocument } from '@/api/generated/alerts'
import { PAGE_SIZE } from '@/api/queries'
import { graphql } from '@/api/request'
import { alerts, silences as words } from '@/strings/alerts'
import { strings } from '@/strings/common'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { notify } from '@/ui/notices'
import { Empty } from '@/ui/states'
import { Switch } from '@/ui/switch'
import { serverNow } from '@/util/clock'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import { useBlocked, useMayNotIn } from '@/util/permissions'
import type { AlertSilencesSearch } from '@/util/search'
import { useAge } from '@/util/ticker'
import { exactTime, formatSpan } from '@/util/time'
import { useAction } from '@/util/use-action'
import { useSearchState } from '@/util/use-search-state'
import { PlaceText } from '../access/place-text'
import { AlertsFrame } from './frame'
import { standing } from './silence-draft'
import { useAlertsChanged } from './use-alerts-changed'

const SilenceForm = lazily(async () => (await import('./silence-form')).SilenceForm)
const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

/** When nobody is told, and why. */
export function AlertSilencesPage() {
  return (
    <OpenTo permission="INTEGRATION_MGT_VIEW" title={alerts.tabs.silences} what={alerts.tabs.silences}>
      <Silences />
    </OpenTo>
  )
}

function Silences() {
  const { create, ended = false, rule, ...place } = useSearch({ from: `/shell${PATH.alertSilences}` })
  const change = useSearchState<AlertSilencesSearch>()
  const [ending, setEnding] = useState<AlertSilenceRowFragment>()
  const query = useInfiniteQuery({ ...alertSilencesQuery(ended), placeholderData: keepPreviousData })
  const blocked = useBlocked()('ALERT_MGT_MANAGE')
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  return (
    <AlertsFrame
      title={alerts.tabs.silences}
      actions={
        <>
          <CopyCli command="pilothouse alerts silences list" />
          <CopyGraphql document={AlertSilencesDocument} variables={{ includeEnded: ended, first: PAGE_SIZE }} />
          {button}
        </>
      }
    >
      <div className="mb-3 flex items-center gap-2 text-muted">
        <Switch
          label={words.endedToo}
          on={ended}
          tip={words.endedTip}
          onPress={() => change({ ended: ended ? undefined : true }, true)}
        />
        {words.endedToo}
      </div>
      <List
        what={words.what}
        query={query}
        columns={[
          ...columns,
          {
            key: 'actions',
            title: <span className="sr-only">{words.columns.actions}</span>,
            className: 'text-right',
            cell: (row) =>
              standing(row, serverNow()) !== 'ended' && (
                <Button
                  small
                  look="quiet"
                  blocked={blocked}
                  aria-label={words.endLabel(row.reason)}
                  onClick={() => setEnding(row)}
                >
                  {words.end}
                </Button>
              ),
          },
        ]}
        rowKey={(row) => row.id}
        empty={
          <Empty title={words.emptyTitle} action={button}>
            {words.emptyText}
          </Empty>
        }
      />
      {create && !blocked && (
        <SilenceForm
          rule={rule}
          place={place}
          onClose={() =>
            change({
              create: undefined,
              rule: undefined,
              project: undefined,
              integration: undefined,
              environment: undefined,
            })
          }
        />
      )}
      {ending && <EndSilence silence={ending} onClose={() => setEnding(undefined)} />}
    </AlertsFrame>
  )
}

function EndSilence({ silence, onClose }: { silence: AlertSilenceRowFragment; onClose: () => void }) {
  const { id, reason, project, integration, environment } = silence
  const mayNot = useMayNotIn('ALERT_MGT_MANAGE', {
    project: project?.handle ?? null,
    integration: integration?.handle ?? null,
    environment: environment?.handle ?? null,
  })
  const changed = useAlertsChanged()
  const { run, pending, problem } = useAction(async () => {
    await graphql(EndAlertSilenceDocument, { id })
    changed()
    notify(words.ending.done)
    onClose()
  })
  return (
    <ConfirmDialog
      title={words.ending.title}
      about={words.ending.about(reason)}
      submit={words.ending.submit}
      pending={pending}
      problem={problem}
      blocked={mayNot === strings.loading ? undefined : mayNot}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}

const looks = {
  now: { icon: BellOff, tone: 'font-medium text-warn' },
  later: { icon: Clock, tone: 'text-muted' },
  ended: { icon: Clock, tone: 'text-faint' },
} as const

/** Ticks by itself: a silence that ends while one looks is shown as ended. */
function Standing({ silence }: { silence: AlertSilenceRowFragment }) {
  useAge(silence.from)
  const now = serverNow()
  const state = standing(silence, now)
  const { icon: Icon, tone } = looks[state]
  return (
    <span className={`inline-flex items-center gap-1.5 ${tone}`} data-tip={exactTime(silence.to)}>
      <Icon size={13} aria-hidden />
      {words.states[state]}
      {state === 'now' && (
        <span className="nums font-normal text-muted">{words.left(formatSpan(Date.parse(silence.to) - now))}</span>
      )}
      {state === 'later' && <span className="nums">{words.beginsIn(formatSpan(Date.parse(silence.from) - now))}</span>}
    </span>
  )
}

/** An instant that lies ahead is told whole: an age says nothing of it. */
function Instant({ at }: { at: string }) {
  if (Date.parse(at) <= serverNow()) return <Age at={at} ago />
  return (
    <time dateTime={at} className="nums" data-tip={exactTime(at)}>
      {exactTime(at).split(' · ')[0]}
    </time>
  )
}

const columns: ListColumn<AlertSilenceRowFragment>[] = [
  { key: 'state', title: words.columns.state, cell: (row) => <Standing silence={row} /> },
  {
    key: 'what',
    title: words.columns.what,
    cell: ({ rule }) => rule?.name ?? <span className="text-muted">{words.everyRule}</span>,
  },
  { key: 'where', title: words.columns.where, className: 'min-w-52', cell: (row) => <PlaceText place={row} /> },
  {
    key: 'reason',
    title: words.columns.reason,
    className: 'w-full min-w-40 max-w-0 truncate',
    cell: ({ reason }) => <span data-tip={reason}>{reason}</span>,
  },
  {
    key: 'from',
    title: words.columns.from,
    className: 'hidden lg:table-cell text-right text-muted',
    cell: ({ from }) => <Instant at={from} />,
  },
  {
    key: 'to',
    title: words.columns.to,
    className: 'hidden md:table-cell text-right text-muted',
    cell: ({ to }) => <Instant at={to} />,
  },
  {
    key: 'by',
    title: words.columns.by,
    className: 'hidden md:table-cell text-muted',
    cell: ({ createdBy }) => createdBy,
  },
]
