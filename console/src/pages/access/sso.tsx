import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import {
  CreateSsoGroupMappingDocument,
  DeleteSsoGroupMappingDocument,
  SsoGroupMappingsDocument,
  type SsoGroupMappingsQuery,
} from '@/api/generated/people'
import { groupsQuery, ssoMappingsQuery } from '@/api/people-queries'
import { LARGEST_PAGE, PAGE_SIZE } from '@/api/queries'
import { graphql } from '@/api/request'
import { access, sso as words } from '@/strings/access'
import { closed } from '@/strings/closed'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { openTo } from '@/ui/closed'
import { CopyGraphql } from '@/ui/copy'
import { Field, Select } from '@/ui/field'
import { List, type ListColumn } from '@/ui/list'
import { notify } from '@/ui/notices'
import { Empty } from '@/ui/states'
import { TextField } from '@/ui/text-field'
import { lazily } from '@/util/lazily'
import { PATH, to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { ListSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { useSearchState } from '@/util/use-search-state'
import { AccessFrame } from './frame'
import { useAccessChanged } from './use-access-changed'

const FormDialog = lazily(async () => (await import('@/ui/form-dialog')).FormDialog)
const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

type Row = SsoGroupMappingsQuery['ssoGroupMappings']['nodes'][number]

const columns: ListColumn<Row>[] = [
  { key: 'value', title: words.columns.value, cell: ({ value }) => <code>{value}</code> },
  {
    key: 'group',
    title: words.columns.group,
    cell: ({ group }) => (
      <Link {...to.group(group.id)} data-row className="link">
        {group.name}
      </Link>
    ),
  },
  {
    key: 'claim',
    title: words.columns.claim,
    className: 'hidden sm:table-cell',
    cell: ({ claim }) => <code className="text-muted">{claim}</code>,
  },
  {
    key: 'issuer',
    title: words.columns.issuer,
    className: 'hidden md:table-cell w-full',
    cell: ({ issuer }) => <code className="text-muted">{issuer}</code>,
  },
  {
    key: 'age',
    title: words.columns.age,
    className: 'hidden sm:table-cell text-right text-muted',
    cell: ({ createdAt }) => <Age at={createdAt} />,
  },
]

export const SsoPage = openTo('USER_MGT_UPDATE_GROUP_ROLES', access.tabs.sso, Sso, closed.what.sso)

function Sso() {
  const { create } = useSearch({ from: `/shell${PATH.sso}` })
  const change = useSearchState<ListSearch>()
  const query = useInfiniteQuery(ssoMappingsQuery)
  const [leaving, setLeaving] = useState<Row>()
  const mayNot = useBlocked()
  const mayNotMap = mayNot('USER_MGT_UPDATE_GROUP_ROLES')
  const mayNotCreate = mayNotMap ?? mayNot('USER_MGT_UPDATE_USERS')
  const button = (
    <Button look="solid" blocked={mayNotCreate} onClick={() => change({ create: true })}>
      {words.create}
    </Button>
  )
  return (
    <AccessFrame
      title={access.tabs.sso}
      actions={
        <>
          <CopyGraphql document={SsoGroupMappingsDocument} variables={{ first: PAGE_SIZE }} />
          {button}
        </>
      }
    >
      <p className="mb-3 text-muted">{words.text}</p>
      <List
        what={words.what}
        query={query}
        columns={[
          ...columns,
          {
            key: 'actions',
            title: <span className="sr-only">{access.columns.actions}</span>,
            className: 'text-right',
            cell: (row) => (
              <Button
                small
                look="quiet"
                aria-label={words.removeLabel(row.value)}
                blocked={mayNotMap}
                onClick={() => setLeaving(row)}
              >
                {words.remove}
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
      {create && !mayNotCreate && <CreateMapping onClose={() => change({ create: undefined })} />}
      {leaving && <RemoveMapping mapping={leaving} onClose={() => setLeaving(undefined)} />}
    </AccessFrame>
  )
}

function CreateMapping({ onClose }: { onClose: () => void }) {
  const changed = useAccessChanged()
  const groups = useInfiniteQuery(groupsQuery('', null, LARGEST_PAGE))
  const [value, setValue] = useState('')
  const [group, setGroup] = useState('')
  const [issuer, setIssuer] = useState('')
  const [claim, setClaim] = useState('')
  const [tried, setTried] = useState(false)
  const { run, pending, problem } = useAction(async () => {
    const input = { value: value.trim(), group, issuer: issuer.trim() || null, claim: claim.trim() || null }
    await graphql(CreateSsoGroupMappingDocument, { input })
    notify(words.created(input.value))
    changed()
    onClose()
  })
  return (
    <FormDialog
      title={words.create}
      about={words.text}
      submit={words.create}
      pending={pending}
      problem={problem}
      fields={['value', 'group', 'issuer', 'claim']}
      onClose={onClose}
      onSubmit={() => {
        setTried(true)
        if (value.trim() && group) void run()
      }}
    >
      <TextField
        mono
        label={words.value}
        hint={words.valueHint}
        value={value}
        onChange={setValue}
        error={problem?.of('value')?.message ?? (tried && !value.trim() ? words.needValue : undefined)}
      />
      <Field
        label={words.group}
        error={problem?.of('group')?.message ?? (tried && !group ? words.needGroup : undefined)}
      >
        {(wiring) => (
          <Select {...wiring} value={group} onChange={(event) => setGroup(event.target.value)}>
            <option value="">{words.chooseGroup}</option>
            {groups.data?.pages[0]?.nodes.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <details>
        <summary className="mb-2 w-fit text-muted">{words.more}</summary>
        <TextField
          mono
          label={words.issuer}
          hint={words.asConfigured}
          value={issuer}
          onChange={setIssuer}
          error={problem?.of('issuer')?.message}
        />
        <TextField
          mono
          label={words.claim}
          hint={words.asConfigured}
          value={claim}
          onChange={setClaim}
          error={problem?.of('claim')?.message}
        />
      </details>
    </FormDialog>
  )
}

function RemoveMapping({ mapping: { id, value }, onClose }: { mapping: Row; onClose: () => void }) {
  const changed = useAccessChanged()
  const { run, pending, problem } = useAction(async () => {
    await graphql(DeleteSsoGroupMappingDocument, { id })
    notify(words.removed(value))
    changed()
    onClose()
  })
  return (
    <ConfirmDialog
      title={words.removeTitle(value)}
      about={words.removeAbout}
      submit={words.remove}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}
