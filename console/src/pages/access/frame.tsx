import type { ReactNode } from 'react'
import { access as words } from '@/strings/access'
import { PageHead } from '@/ui/page'
import { Tabs } from '@/ui/tabs'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'

/** The pages of access under one title; only those that the viewer may read. */
export function AccessFrame({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  const blocked = useBlocked()
  const may = (...anyOf: Parameters<typeof blocked>) => !blocked(...anyOf)
  const tabs = [
    ...(may('USER_MGT_UPDATE_USERS', 'USER_MGT_MANAGE_GROUPS') ? [{ name: words.tabs.users, link: to.users() }] : []),
    { name: words.tabs.groups, link: to.groups() },
    { name: words.tabs.roles, link: to.roles() },
    ...(may('USER_MGT_UPDATE_GROUP_ROLES') ? [{ name: words.tabs.sso, link: to.sso() }] : []),
    { name: words.tabs.whoMay, link: to.whoMay() },
  ]
  return (
    <>
      <PageHead title={title} actions={actions} />
      <Tabs label={words.title} tabs={tabs} />
      {children}
    </>
  )
}
