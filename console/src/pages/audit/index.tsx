import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { CircleCheck, CircleX } from 'lucide-react'
import { useCallback } from 'react'
import { AuditRecordsDocument, type AuditRecordsQuery } from '@/api/generated/people'
import { auditQuery } from '@/api/people-queries'
import { PAGE_SIZE } from '@/api/queries'
import { audit as words } from '@/strings/audit'
import { closed } from '@/strings/closed'
import { strings } from '@/strings/common'
import { Age } from '@/ui/age'
import { Button, buttonClass } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { openTo } from '@/ui/closed'
import { CopyCli, CopyGraphql } from '@/ui/copy'
import { FilterField, FromTo } from '@/ui/filter-field'
import { List, type ListColumn } from '@/ui/list'
import { PageHead } from '@/ui/page'
import { SearchBox } from '@/ui/search-box'
import { Empty } from '@/ui/states'
import { OUTCOMES } from '@/util/choices'
import { lists } from '@/util/cli-lists'
import { lazily } from '@/util/lazily'
import { PATH } from '@/util/paths'
import type { AuditSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { PlacePicker } from '../access/place-picker'
import { auditFilter, exportAddress, exportsMore } from './filter'
import { CheckIntegrity, Integrity, useIntegrity } from './integrity'

const RecordPanel = lazily(async () => (await import('./record')).RecordPanel)

export type AuditRow = AuditRecordsQuery['auditRecords']['nodes'][number]

export function OutcomeMark({ outcome }: { outcome: AuditRow['outcome'] }) {
  const done = outcome === 'DONE'
  const Icon = done ? CircleCheck : CircleX
  return (
    <span className={`inline-flex items-center gap-1 font-medium ${done ? 'text-ok' : 'text-bad'}`}>
      <Icon size={13} aria-hidden />
      {words.outcomes[outcome]}
    </span>
  )
}

const columns: ListColumn<AuditRow>[] = [
  {
    key: 'number',
    title: words.columns.number,
    className: 'text-right nums',
    cell: ({ number }) => (
      <Link
        to="."
        search={(before: object) => ({ ...before, record: number })}
        aria-label={words.record(number)}
        data-row
        className="link"
      >
        {number}
      </Link>
    ),
  },
  {
    key: 'at',
    title: words.columns.at,
    className: 'whitespace-nowrap text-right text-muted',
    cell: ({ at }) => <Age at={at} ago />,
  },
  { key: 'actor', title: words.columns.actor, cell: ({ actor }) => <code>{actor}</code> },
  { key: 'action', title: words.columns.action, cell: ({ action }) => <code>{action}</code> },
  {
    key: 'target',
    title: words.columns.target,
    // At least as wide as its longest word, so that none is broken, up to a width from where on even words are.
    className: 'hidden sm:table-cell min-w-48 max-w-96 whitespace-normal! lg:min-w-60',
    cell: ({ target }) => <code className="wrap-break-word">{target}</code>,
  },
  { key: 'outcome', title: words.columns.outcome, cell: ({ outcome }) => <OutcomeMark outcome={outcome} /> },
  {
    key: 'detail',
    title: words.columns.detail,
    className: 'hidden md:table-cell w-full min-w-48 whitespace-normal! text-muted',
    cell: ({ detail }) => detail,
  },
  {
    key: 'address',
    title: words.columns.address,
    className: 'hidden lg:table-cell',
    cell: ({ address }) => <code className="text-faint">{address}</code>,
  },
]

const NOTHING: AuditSearch = {
  actor: undefined,
  action: undefined,
  outcome: undefined,
  search: undefined,
  project: undefined,
  integration: undefined,
  environment: undefined,
  from: undefined,
  to: undefined,
}

/** Who did or tried what; every filter stands in the address. */
export const AuditPage = openTo('AUDIT_MGT_VIEW', words.title, Audit, closed.what.audit)

function Audit() {
  const search = useSearch({ from: `/shell${PATH.audit}` })
  const change = useSearchState<AuditSearch>()
  const onSearch = useCallback((text: string) => change({ search: text || undefined }, true), [change])
  const filter = auditFilter(search)
  const check = useIntegrity()
  const query = useInfiniteQuery({ ...auditQuery(filter), placeholderData: keepPreviousData })
  const { record, search: text = '', ...others } = search
  const filtered = Object.values(others).some((value) => value !== undefined)
  const rows = query.data?.pages.flatMap((page) => page.nodes) ?? []
  return (
    <>
      <PageHead
        title={words.title}
        actions={
          <>
            <CheckIntegrity check={check} />
            <CopyCli command={lists.audit(search)} />
            <CopyGraphql document={AuditRecordsDocument} variables={{ filter, first: PAGE_SIZE }} />
            <a
              href={exportAddress(filter)}
              download="audit.ndjson"
              data-tip={exportsMore(filter) ? words.exportLess : words.exportTip}
              className={buttonClass()}
            >
              {words.export}
            </a>
          </>
        }
      />
      <Integrity check={check} onShow={(number) => change({ ...NOTHING, record: number })} />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchBox label={words.search} value={text} onSearch={onSearch} />
        <FilterField
          label={words.actor}
          placeholder={words.actorHint}
          value={search.actor ?? ''}
          onChange={(actor) => change({ actor })}
        />
        <FilterField
          label={words.action}
          placeholder={words.actionHint}
          value={search.action ?? ''}
          onChange={(action) => change({ action })}
        />
        <Choose
          label={words.outcome}
          all={words.allOutcomes}
          value={search.outcome}
          onChange={(outcome) => change({ outcome }, true)}
          choices={OUTCOMES.map((each) => [each, words.outcomes[each]])}
        />
        <FromTo>
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
            onChange={(to) => change({ to })}
          />
        </FromTo>
        <PlacePicker place={search} onChange={change} />
        {(filtered || text) && (
          <Button look="quiet" onClick={() => change(NOTHING)}>
            {strings.clearFilters}
          </Button>
        )}
      </div>
      <List
        what={words.what}
        query={query}
        columns={columns}
        rowKey={(row) => String(row.number)}
        search={text}
        filtered={filtered}
        onClearSearch={() => change(NOTHING)}
        empty={<Empty title={words.emptyTitle}>{words.emptyText}</Empty>}
      />
      {record !== undefined && !query.isPending && (
        <RecordPanel
          number={record}
          record={rows.find((each) => each.number === record)}
          onClose={() => change({ record: undefined })}
          onNarrow={(next) => change({ ...next, record: undefined })}
        />
      )}
    </>
  )
}
