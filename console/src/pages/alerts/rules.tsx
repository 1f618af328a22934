import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { CircleOff } from 'lucide-react'
import { useCallback, useState } from 'react'
import { alertRulesQuery } from '@/api/alerts-queries'
import { type AlertRuleRowFragment, AlertRulesDocument } from '@/api/generated/alerts'
import { PAGE_SIZE } from '@/api/queries'
import { alerts, rules as words } from '@/strings/alerts'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { OpenTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { List, type ListColumn } from '@/ui/list'
import { Said } from '@/ui/said'
import { SearchBox } from '@/ui/search-box'
import { Empty } from '@/ui/states'
import { WarningMark } from '@/ui/status'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { AlertRulesSearch, PlaceSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AlertsFrame, SeverityMark } from './frame'
import { ruleInWords } from './rule-draft'
import { RuleSwitch } from './rule-switch'

const RulePanel = lazily(async () => (await import('./rule-panel')).RulePanel)
const RuleForm = lazily(async () => (await import('./rule-form')).RuleForm)
const EditRule = lazily(async () => (await import('./rule-form')).EditRule)
const DeleteRule = lazily(async () => (await import('./rule-panel')).DeleteRule)
const SilenceForm = lazily(async () => (await import('./silence-form')).SilenceForm)

type Acting = { what: 'delete' | 'silence'; rule: AlertRuleRowFragment }

const placeOf = ({ project, integration, environment }: AlertRuleRowFragment): PlaceSearch => ({
  project: project?.handle,
  integration: integration?.handle,
  environment: environment?.handle,
})

/** What is watched, each rule in words. */
export function AlertRulesPage() {
  return (
    <OpenTo permission="INTEGRATION_MGT_VIEW" title={alerts.tabs.rules} what={alerts.tabs.rules}>
      <Rules />
    </OpenTo>
  )
}

function Rules() {
  const { search = '', create, rule, edit } = useSearch({ from: `/shell${PATH.alertRules}` })
  const change = useSearchState<AlertRulesSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const [acting, setActing] = useState<Acting>()
  const query = useInfiniteQuery({ ...alertRulesQuery(search), placeholderData: keepPreviousData })
  const blocked = useBlocked()('ALERT_MGT_MANAGE')
  const button = (
    <Button look="solid" blocked={blocked} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  return (
    <AlertsFrame
      title={alerts.tabs.rules}
      actions={
        <>
          <CopyCli command="pilothouse alerts rules list" />
          <CopyGraphql document={AlertRulesDocument} variables={{ search: search || null, first: PAGE_SIZE }} />
          {button}
        </>
      }
    >
      <div className="mb-3 flex flex-wrap gap-2">
        <SearchBox label={words.search} value={search} onSearch={onSearch} />
      </div>
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => row.id}
        search={search}
        onClearSearch={() => onSearch('')}
        empty={
          <Empty title={words.emptyTitle} action={button}>
            {words.emptyText}
          </Empty>
        }
      />
      {/* One dialog at a time: the panel comes back when the other one closes. */}
      {rule && !acting && !edit && (
        <RulePanel
          id={rule}
          onEdit={() => change({ edit: rule })}
          onDelete={(on) => setActing({ what: 'delete', rule: on })}
          onSilence={(on) => setActing({ what: 'silence', rule: on })}
          onClose={() => change({ rule: undefined })}
        />
      )}
      {create && !blocked && <RuleForm onClose={() => change({ create: undefined })} />}
      {edit && !blocked && <EditRule id={edit} onClose={() => change({ edit: undefined })} />}
      {acting?.what === 'delete' && (
        <DeleteRule
          rule={acting.rule}
          onDone={() => change({ rule: undefined })}
          onClose={() => setActing(undefined)}
        />
      )}
      {acting?.what === 'silence' && (
        <SilenceForm rule={acting.rule.id} place={placeOf(acting.rule)} onClose={() => setActing(undefined)} />
      )}
    </AlertsFrame>
  )
}

const columns: ListColumn<AlertRuleRowFragment>[] = [
  {
    key: 'name',
    title: words.columns.name,
    className: 'w-full min-w-56 max-w-0 whitespace-normal!',
    cell: (row) => (
      <span className="block py-1">
        <span className="flex flex-wrap items-center gap-x-2">
          <Link
            to="."
            search={(before: object) => ({ ...before, rule: row.id })}
            data-row
            className="link min-w-0 break-words font-medium"
          >
            {row.name}
          </Link>
          {row.builtIn && <Badge text={words.builtIn} tip={words.builtInTip} />}
          {row.trouble && <WarningMark text={words.troubleText(row.trouble)}>{words.trouble}</WarningMark>}
          {!row.enabled && (
            <span className="inline-flex items-center gap-1 text-muted">
              <CircleOff size={12} aria-hidden />
              {words.off}
            </span>
          )}
        </span>
        <span className="block text-[12px] leading-[17px] text-muted">
          <Said text={ruleInWords(row)} />
        </span>
      </span>
    ),
  },
  {
    key: 'severity',
    title: words.columns.severity,
    className: 'hidden sm:table-cell',
    cell: ({ severity, enabled }) => <SeverityMark severity={severity} calm={!enabled} />,
  },
  {
    key: 'firing',
    title: words.columns.firing,
    className: 'text-right',
    cell: ({ id, firing }) =>
      firing > 0 ? (
        <Link {...to.alerts({ rule: id })} className="font-medium text-bad hover:underline">
          {firing}
        </Link>
      ) : (
        <span className="text-faint">{words.none}</span>
      ),
  },
  {
    key: 'judged',
    title: words.columns.judged,
    className: 'hidden md:table-cell text-right text-muted',
    cell: ({ lastJudgedAt }) =>
      lastJudgedAt ? <Age at={lastJudgedAt} ago /> : <span className="text-faint">{words.notYet}</span>,
  },
  { key: 'enabled', title: words.columns.enabled, cell: (row) => <RuleSwitch rule={row} /> },
]
