import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { UserDocument, type UserQuery } from '@/api/generated/people'
import { userQuery } from '@/api/people-queries'
import { viewerQuery } from '@/api/queries'
import { access, users as words } from '@/strings/access'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button } from '@/ui/button'
import { openTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { Card, Facts } from '@/ui/page'
import { CouldNotLoad, Missing, Skeleton } from '@/ui/states'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { Sessions } from '../account/sessions'
import { AccessFrame } from './frame'
import { Mappings } from './mappings'
import { UserActions } from './user-actions'
import { UserStateMark } from './user-state'

const Tokens = lazily(async () => (await import('../account/tokens')).Tokens)
const EditUserGroups = lazily(async () => (await import('./user-forms')).EditUserGroups)

export type UserFacts = NonNullable<UserQuery['user']>

/** Everything about one user: their groups, and what comes of them. */
export const UserPage = openTo(['USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS'], access.tabs.users, User)

function User() {
  const { userId } = useParams({ from: `/shell${PATH.user}` })
  const query = useQuery(userQuery(userId))
  if (query.isPending) return <Skeleton label={words.one} rows={8} />
  if (query.data === null) return <Missing what={words.kind} />
  if (query.data === undefined) {
    return <CouldNotLoad what={words.one} error={query.error} onRetry={() => void query.refetch()} />
  }
  return <Known user={query.data} />
}

function Known({ user }: { user: UserFacts }) {
  const { viewer } = useSuspenseQuery(viewerQuery).data
  const blocked = useBlocked()
  const [grouping, setGrouping] = useState(false)
  const mayManage = blocked('USER_MGT_MANAGE_USERS')
  return (
    <AccessFrame
      title={user.displayName || user.username}
      actions={
        <>
          <CopyGraphql document={UserDocument} variables={{ id: user.id }} />
          <UserActions user={user} isSelf={viewer.id === user.id} />
        </>
      }
    >
      <div className="grid items-start gap-x-4 xl:grid-cols-[minmax(0,1fr)_360px]">
        <div className="min-w-0">
          <Card title={words.mappings} label={words.mappings}>
            <Mappings label={words.mappings} rows={user.mappings} empty={words.mappingsEmpty} about="user" />
          </Card>
          {/* What somebody else holds open is shown to those who may end it. */}
          {!mayManage && user.kind === 'PERSON' && (
            <Card title={words.sessions} label={words.sessions}>
              <Sessions user={user.id} />
            </Card>
          )}
          {!mayManage && <Tokens user={{ id: user.id, isService: user.kind === 'SERVICE' }} />}
        </div>
        <div className="min-w-0">
          <Card title={words.about} label={words.about} beside={<UserStateMark state={user.state} />}>
            <Facts
              facts={[
                [words.facts.username, <code key="username">{user.username}</code>],
                ...(user.email ? [[words.facts.email, user.email] as [string, string]] : []),
                [words.facts.kind, words.kinds[user.kind]],
                ...(user.issuer ? [[words.facts.issuer, user.issuer] as [string, string]] : []),
                [
                  words.facts.signIn,
                  user.lastSignInAt ? <Age key="in" at={user.lastSignInAt} ago /> : words.neverSignedIn,
                ],
                [
                  words.facts.created,
                  <span key="created">
                    <Age at={user.createdAt} ago /> – {user.createdBy}
                  </span>,
                ],
              ]}
            />
          </Card>
          <Card
            title={words.groups}
            label={words.groups}
            beside={user.isSuperAdmin && <Badge text={words.superAdmin} />}
            actions={
              <Button
                small
                blocked={blocked('USER_MGT_UPDATE_USERS')}
                aria-label={`${words.edit}: ${words.groups}`}
                onClick={() => setGrouping(true)}
              >
                {words.edit}
              </Button>
            }
          >
            <ul className="px-3.5 py-2">
              {user.groups.map((group) => (
                <li key={group.id}>
                  <Link {...to.group(group.id)} data-row className="link">
                    {group.name}
                  </Link>
                </li>
              ))}
              {user.groups.length === 0 && <li className="text-muted">{words.form.noGroups}</li>}
            </ul>
          </Card>
        </div>
      </div>
      {grouping && <EditUserGroups user={user} onClose={() => setGrouping(false)} />}
    </AccessFrame>
  )
}
