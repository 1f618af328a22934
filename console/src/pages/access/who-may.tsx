import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { CircleCheck, CircleX } from 'lucide-react'
import { useState } from 'react'
import { AccessDocument, type DecisionFragment, type Permission, WhoMayDocument } from '@/api/generated/people'
import { accessQuery, permissionsQuery, userQuery, whoMayQuery } from '@/api/people-queries'
import { PAGE_SIZE } from '@/api/queries'
import { access, users, whoMay as words } from '@/strings/access'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { Choose } from '@/ui/choose'
import { openTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { List } from '@/ui/list'
import { Card } from '@/ui/page'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { PERMISSIONS } from '@/util/choices'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked, wireName } from '@/util/permissions'
import type { WhoMaySearch } from '@/util/search'
import { useSearchState } from '@/util/use-search-state'
import { AccessFrame } from './frame'
import { PlacePicker, placeInput } from './place-picker'
import { PlaceText } from './place-text'

const PickPerson = lazily(async () => (await import('./pick-person')).PickPerson)

const USUAL: Permission = 'INTEGRATION_MGT_EDIT'

/** Everybody who may do something in a place, and through what; or one person: yes or no, and why. */
export const WhoMayPage = openTo(['USER_MGT_UPDATE_USERS', 'USER_MGT_UPDATE_GROUP_ROLES'], access.tabs.whoMay, WhoMay)

function WhoMay() {
  const search = useSearch({ from: `/shell${PATH.whoMay}` })
  const change = useSearchState<WhoMaySearch>()
  const [picking, setPicking] = useState(false)
  const blocked = useBlocked()
  const permission = search.permission ?? USUAL
  const place = placeInput(search)
  const info = useQuery(permissionsQuery)
  const meaning = info.data?.find((each) => each.permission === permission)?.meaning
  const mayPick = !blocked('USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS')
  return (
    <AccessFrame
      title={access.tabs.whoMay}
      actions={
        search.user ? (
          <CopyGraphql document={AccessDocument} variables={{ permission, place, user: search.user }} />
        ) : (
          <CopyGraphql document={WhoMayDocument} variables={{ permission, place, first: PAGE_SIZE }} />
        )
      }
    >
      <div className="mb-1 flex flex-wrap items-center gap-2">
        <span className="font-medium">{words.question}</span>
        <Choose
          label={words.permission}
          value={permission}
          onChange={(next) => change({ permission: next })}
          choices={PERMISSIONS.map((each) => [each, wireName(each)])}
        />
        <span className="text-muted">{words.in}</span>
        <PlacePicker place={search} onChange={change} />
        {search.user ? (
          <Button onClick={() => change({ user: undefined })}>{words.clear}</Button>
        ) : (
          mayPick && <Button onClick={() => setPicking(true)}>{words.pick}</Button>
        )}
      </div>
      <p className="mb-3 text-muted">{meaning}</p>
      {search.user ? (
        <OnePerson permission={permission} place={place} user={search.user} />
      ) : (
        <Everybody permission={permission} place={place} onPick={(user) => change({ user })} mayPick={mayPick} />
      )}
      {picking && (
        <PickPerson
          onClose={() => setPicking(false)}
          onPick={(user) => {
            setPicking(false)
            change({ user })
          }}
        />
      )}
    </AccessFrame>
  )
}

type Asked = { permission: Permission; place: ReturnType<typeof placeInput> }

function Everybody({
  permission,
  place,
  onPick,
  mayPick,
}: Asked & { onPick: (user: string) => void; mayPick: boolean }) {
  const query = useInfiniteQuery({ ...whoMayQuery(permission, place), placeholderData: keepPreviousData })
  const total = query.data?.pages[0]?.totalCount
  return (
    <>
      <p role="status" className="nums mb-2 font-medium">
        {total ? words.count(total) : ''}
      </p>
      <List
        what={words.what}
        query={query}
        columns={[
          {
            key: 'user',
            title: words.columns.user,
            cell: ({ user }) => (
              <span className="inline-flex items-center gap-2">
                {mayPick ? (
                  <button type="button" data-row className="link font-medium" onClick={() => onPick(user.id)}>
                    {user.displayName}
                  </button>
                ) : (
                  <span className="font-medium">{user.displayName}</span>
                )}
                <code className="text-faint">{user.username}</code>
                {user.kind === 'SERVICE' && <Badge text={users.kinds.SERVICE} />}
              </span>
            ),
          },
          {
            key: 'through',
            title: words.columns.through,
            className: 'w-full',
            cell: ({ through }) => <Steps grants={through} permission={permission} />,
          },
        ]}
        rowKey={(row) => row.user.id}
        empty={<Empty title={words.nobody}>{words.nobodyText}</Empty>}
      />
    </>
  )
}

/** Each grant: the group, its role, and within which scope. */
function Steps({ grants, permission }: { grants: DecisionFragment['through']; permission: Permission }) {
  return (
    <ul>
      {grants.map((grant) => (
        <li key={grant.mapping} className="flex flex-wrap items-center gap-x-1.5">
          <Link {...to.group(grant.group.id)} className="link">
            {grant.group.name}
          </Link>
          <span aria-hidden className="text-faint">
            →
          </span>
          <Link {...to.role(grant.role.id)} className="link">
            {grant.role.name}
          </Link>
          <span aria-hidden className="text-faint">
            →
          </span>
          <PlaceText place={grant.scope} />
          {grant.by !== permission && <code className="text-faint">{words.by(wireName(grant.by))}</code>}
        </li>
      ))}
    </ul>
  )
}

function OnePerson({ permission, place, user }: Asked & { user: string }) {
  const query = useQuery({ ...accessQuery(permission, place, user), placeholderData: keepPreviousData })
  const known = useQuery(userQuery(user))
  if (query.isPending) return <Skeleton label={words.decision} />
  if (!query.data) {
    return <CouldNotLoad what={words.decision} error={query.error} onRetry={() => void query.refetch()} />
  }
  const { allowed, reason, through, elsewhere, user: who } = query.data
  const name = who.displayName || who.username
  return (
    <Card
      label={words.decision}
      title={
        <span role="status" className={`inline-flex items-center gap-1.5 ${allowed ? 'text-ok' : 'text-bad'}`}>
          {allowed ? <CircleCheck size={15} aria-hidden /> : <CircleX size={15} aria-hidden />}
          {allowed ? words.yes(name) : words.no(name)}
        </span>
      }
      actions={
        known.data && (
          <Link {...to.user(user)} className="link">
            {who.username}
          </Link>
        )
      }
    >
      <div className="space-y-3 px-3.5 py-3">
        <p>{reason}</p>
        {through.length > 0 && (
          <section aria-label={words.through}>
            <h3 className="text-muted">{words.through}</h3>
            <Steps grants={through} permission={permission} />
          </section>
        )}
        {elsewhere.length > 0 && (
          <section aria-label={words.elsewhere}>
            <h3 className="text-muted">{words.notHere}</h3>
            <Steps grants={elsewhere} permission={permission} />
          </section>
        )}
      </div>
    </Card>
  )
}
