import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { SettingsDocument, type SettingsQuery } from '@/api/generated/people'
import { settingsQuery } from '@/api/installation-queries'
import { strings } from '@/strings/common'
import { settings as words } from '@/strings/installation'
import { Button } from '@/ui/button'
import { OpenTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { PageHead, TableBox } from '@/ui/page'
import { Said } from '@/ui/said'
import { SearchBox } from '@/ui/search-box'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { Switch } from '@/ui/switch'
import { PATH } from '@/util/paths'
import type { SettingsSearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'

type Setting = SettingsQuery['settings'][number]

/** What the control plane runs with: for who may manage every environment. */
export function SettingsPage() {
  return (
    <OpenTo permission="ENVIRONMENT_MGT_MANAGE" title={words.title} what={words.title}>
      <Settings />
    </OpenTo>
  )
}

const matches = ({ variable, meaning, value }: Setting, search: string) =>
  `${variable} ${meaning} ${value ?? ''}`.toLowerCase().includes(search.toLowerCase())

function Settings() {
  const { search, changed } = useSearch({ from: `/shell${PATH.settings}` })
  const change = useSearchState<SettingsSearch>()
  const query = useQuery(settingsQuery)
  const shown = (query.data ?? []).filter(
    (each) => (!changed || each.origin !== 'DEFAULT') && (!search || matches(each, search)),
  )
  return (
    <>
      <PageHead title={words.title} actions={<CopyGraphql document={SettingsDocument} variables={{}} />} />
      <p className="mb-3 max-w-prose text-muted">
        <Said text={words.lead} />
      </p>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <SearchBox
          label={words.find}
          value={search ?? ''}
          onSearch={(text) => change({ search: text || undefined }, true)}
        />
        <span className="flex items-center gap-2 text-muted">
          <Switch
            label={words.changed}
            on={Boolean(changed)}
            tip={words.changedTip}
            onPress={() => change({ changed: changed ? undefined : true }, true)}
          />
          {words.changed}
        </span>
      </div>
      <div className="rounded-lg border border-line bg-surface">
        {query.isPending ? (
          <Skeleton label={words.what} rows={12} />
        ) : query.isError ? (
          <CouldNotLoad what={words.what} error={query.error} onRetry={() => query.refetch()} />
        ) : shown.length === 0 ? (
          <Empty
            title={strings.noneMatch}
            action={
              <Button onClick={() => change({ search: undefined, changed: undefined })}>{strings.clearFilters}</Button>
            }
          />
        ) : (
          <Table settings={shown} />
        )}
      </div>
    </>
  )
}

function Table({ settings }: { settings: Setting[] }) {
  const { columns } = words
  return (
    <TableBox label={words.title}>
      <table className="grid-table">
        <thead>
          <tr>
            {Object.values(columns).map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {settings.map((each) => (
            <tr key={each.variable}>
              <td>
                <code>{each.variable}</code>
              </td>
              <td className="max-w-96 whitespace-normal! [overflow-wrap:anywhere]">
                <Value setting={each} />
              </td>
              <td className={each.origin === 'DEFAULT' ? 'text-muted' : 'font-medium'}>{words.origins[each.origin]}</td>
              <td className="min-w-80 whitespace-normal! text-muted">
                <Said text={each.meaning} />{' '}
                {each.origin !== 'DEFAULT' && (
                  <span>
                    <Said text={words.defaultOf(each.default)} />
                  </span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

/** What it stands at; of a secret only whether there is one. */
function Value({ setting: { value, secret, isSet, default: standard } }: { setting: Setting }) {
  if (value !== null) return <code>{value}</code>
  if (secret && isSet) return <em className="text-muted">{words.secretSet}</em>
  if (standard === 'none') return <span className="text-muted">{words.notSet}</span>
  return (
    <span className="text-muted">
      <Said text={standard} />
    </span>
  )
}
