import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { AtSign, CircleX, Hash, type LucideIcon, PhoneCall, UsersRound, Webhook } from 'lucide-react'
import { useState } from 'react'
import { alertChannelsQuery } from '@/api/alerts-queries'
import {
  type AlertChannelKind,
  type AlertChannelRowFragment,
  AlertChannelsDocument,
  DeleteAlertChannelDocument,
  TestAlertChannelDocument,
  type ToldFragment,
} from '@/api/generated/alerts'
import { PAGE_SIZE } from '@/api/queries'
import { graphql } from '@/api/request'
import { alerts, channels as words } from '@/strings/alerts'
import { strings } from '@/strings/common'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { notify } from '@/ui/notices'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import { useMayNotIn } from '@/util/permissions'
import type { AlertChannelsSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { useSearchState } from '@/util/use-search-state'
import { AlertsFrame } from './frame'
import { Outcome } from './item'
import { useAlertsChanged } from './use-alerts-changed'

const ChannelForm = lazily(async () => (await import('./channel-form')).ChannelForm)
const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)
const ShownSecret = lazily(async () => (await import('@/ui/shown-secret')).ShownSecret)

/** Channels belong to the whole organization. */
const EVERYWHERE = { project: null, integration: null, environment: null }

/** By which ways people are told, and how that went last. */
export function AlertChannelsPage() {
  const { create, edit } = useSearch({ from: `/shell${PATH.alertChannels}` })
  const change = useSearchState<AlertChannelsSearch>()
  const [removing, setRemoving] = useState<AlertChannelRowFragment>()
  const [made, setMade] = useState<{ name: string; secret: string }>()
  const query = useInfiniteQuery({ ...alertChannelsQuery(), placeholderData: keepPreviousData })
  const mayNot = useMayNotIn('ALERT_MGT_MANAGE', EVERYWHERE)
  const blocked = mayNot && mayNot !== strings.loading ? words.everywhere : mayNot
  const edited = query.data?.pages.flatMap(({ nodes }) => nodes).find(({ id }) => id === edit)
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  return (
    <AlertsFrame
      title={alerts.tabs.channels}
      actions={
        <>
          <CopyCli command="pilothouse alerts channels list" />
          <CopyGraphql document={AlertChannelsDocument} variables={{ first: PAGE_SIZE }} />
          {button}
        </>
      }
    >
      <List
        what={words.what}
        query={query}
        columns={[
          ...columns,
          {
            key: 'actions',
            title: <span className="sr-only">{words.columns.actions}</span>,
            className: 'text-right [&:is(td)]:align-top',
            cell: (row) => (
              <Actions
                channel={row}
                blocked={blocked}
                onEdit={() => change({ edit: row.id })}
                onRemove={() => setRemoving(row)}
              />
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
      {create && !blocked && <ChannelForm onClose={() => change({ create: undefined })} onMade={setMade} />}
      {edited && !blocked && (
        <ChannelForm key={edited.id} channel={edited} onClose={() => change({ edit: undefined })} onMade={setMade} />
      )}
      {removing && <RemoveChannel channel={removing} onClose={() => setRemoving(undefined)} />}
      {made && (
        <ShownSecret
          title={words.secret.title(made.name)}
          label={words.secret.label}
          secret={made.secret}
          once={words.secret.once}
          onClose={() => setMade(undefined)}
        />
      )}
    </AlertsFrame>
  )
}

type ActionsProps = {
  channel: AlertChannelRowFragment
  blocked: string | undefined
  onEdit: () => void
  onRemove: () => void
}

/** What can be done with a channel; the outcome of a test stays where it was pressed. */
function Actions({ channel: { id, name }, blocked, onEdit, onRemove }: ActionsProps) {
  const changed = useAlertsChanged()
  const [outcome, setOutcome] = useState<ToldFragment>()
  const { run, pending, problem } = useAction(async () => {
    setOutcome(undefined)
    const { testAlertChannel } = await graphql(TestAlertChannelDocument, { id })
    setOutcome(testAlertChannel)
    changed()
  })
  return (
    <span className="block">
      <span className="inline-flex gap-1">
        <Button
          small
          look="plain"
          blocked={blocked}
          aria-label={words.testLabel(name)}
          aria-busy={pending}
          onClick={() => !pending && void run()}
        >
          {pending ? words.testing : words.test}
        </Button>
        <Button small look="quiet" blocked={blocked} aria-label={words.editLabel(name)} onClick={onEdit}>
          {strings.edit}
        </Button>
        <Button small look="quiet" blocked={blocked} aria-label={words.removeLabel(name)} onClick={onRemove}>
          {strings.remove}
        </Button>
      </span>
      <span role="status" className="ml-auto block w-max max-w-72 whitespace-normal text-left text-[12px] empty:hidden">
        {outcome && (
          <Outcome
            state={outcome.state}
            text={[words.tested[outcome.state](name), outcome.reason].filter(Boolean).join(' ')}
          />
        )}
        {problem && <Outcome state="FAILED" text={`${words.couldNotTest(name)} ${problem.message}`} />}
      </span>
    </span>
  )
}

function RemoveChannel({ channel: { id, name }, onClose }: { channel: AlertChannelRowFragment; onClose: () => void }) {
  const changed = useAlertsChanged()
  const { run, pending, problem } = useAction(async () => {
    await graphql(DeleteAlertChannelDocument, { id })
    changed()
    notify(words.remove.done(name))
    onClose()
  })
  return (
    <ConfirmDialog
      title={words.remove.title(name)}
      about={words.remove.about}
      submit={words.remove.submit}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}

const icons: Record<AlertChannelKind, LucideIcon> = {
  WEBHOOK: Webhook,
  EMAIL: AtSign,
  SLACK: Hash,
  TEAMS: UsersRound,
  PAGERDUTY: PhoneCall,
}

function Kind({ kind }: { kind: AlertChannelKind }) {
  const Icon = icons[kind]
  return (
    <span className="inline-flex items-center gap-1.5">
      <Icon size={13} className="text-muted" aria-hidden />
      {words.kinds[kind]}
    </span>
  )
}

/** A failure that something was delivered after is past. */
const isOver = ({ lastSentAt, lastFailedAt }: AlertChannelRowFragment) =>
  lastSentAt !== null && lastFailedAt !== null && Date.parse(lastSentAt) >= Date.parse(lastFailedAt)

const columns: ListColumn<AlertChannelRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    className: '[&:is(td)]:align-top',
    cell: ({ name }) => <span className="font-medium">{name}</span>,
  },
  {
    key: 'kind',
    title: words.columns.kind,
    className: '[&:is(td)]:align-top',
    cell: ({ kind }) => <Kind kind={kind} />,
  },
  {
    key: 'target',
    title: words.columns.target,
    className: 'hidden md:table-cell max-w-60 truncate [&:is(td)]:align-top',
    cell: ({ target }) => (
      <span className="mono text-muted" data-tip={target}>
        {target}
      </span>
    ),
  },
  {
    key: 'delivered',
    title: words.columns.delivered,
    className: 'hidden sm:table-cell text-right [&:is(td)]:align-top',
    cell: ({ lastSentAt }) =>
      lastSentAt ? <Age at={lastSentAt} ago /> : <span className="text-faint">{words.never}</span>,
  },
  {
    key: 'failure',
    title: words.columns.outcome,
    className: 'hidden lg:table-cell w-full whitespace-normal! min-w-64 [&:is(td)]:align-top',
    cell: (row) => <Failure channel={row} />,
  },
]

function Failure({ channel }: { channel: AlertChannelRowFragment }) {
  const { lastFailedAt, lastFailure } = channel
  if (!lastFailedAt) return <span className="text-faint">{words.noFailure}</span>
  const over = isOver(channel)
  return (
    <span className="flex items-start gap-1.5 py-0.5">
      {!over && (
        <CircleX size={13} className="mt-[3px] shrink-0 text-bad" aria-label={words.columns.outcome} role="img" />
      )}
      <span className={`min-w-0 break-words ${over ? 'text-muted' : ''}`}>
        <Age at={lastFailedAt} ago />
        {lastFailure && ': '}
        <Said text={lastFailure} />
      </span>
    </span>
  )
}
