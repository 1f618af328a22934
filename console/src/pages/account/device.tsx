import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { DecideDeviceDocument, DeviceRequestDocument } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { device as words } from '@/strings/account'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { Card, Facts, PageHead } from '@/ui/page'
import { ProblemText } from '@/ui/problem-text'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { TextField } from '@/ui/text-field'
import { PATH } from '@/util/paths'
import { useUntil } from '@/util/ticker'
import { useAction } from '@/util/use-action'

/** Allows or denies a command line that shows a code. */
export function DevicePage() {
  const { userCode } = useSearch({ from: `/shell${PATH.device}` })
  const [code, setCode] = useState(userCode ?? '')
  const navigate = useNavigate()
  const look = (event: FormEvent) => {
    event.preventDefault()
    if (code.trim()) void navigate({ to: PATH.device, search: { userCode: code.trim().toUpperCase() } })
  }
  return (
    <div className="max-w-xl">
      <PageHead title={words.title} />
      <p className="-mt-2 mb-3 text-muted">{words.lead}</p>
      <form onSubmit={look} className="flex items-end gap-2">
        <div className="w-56">
          <TextField mono label={words.code} value={code} onChange={setCode} hint={words.codeHint} />
        </div>
        <Button type="submit" className="mb-[37px]">
          {words.look}
        </Button>
      </form>
      {userCode && <Request key={userCode} userCode={userCode} />}
    </div>
  )
}

function Request({ userCode }: { userCode: string }) {
  const query = useQuery({
    queryKey: ['device', userCode],
    queryFn: async ({ signal }) => (await graphql(DeviceRequestDocument, { userCode }, signal)).deviceRequest,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const [allowed, setAllowed] = useState<boolean>()
  const left = useUntil(query.data?.expiresAt ?? null)
  const { run, pending, problem } = useAction(async (allow: boolean) => {
    await graphql(DecideDeviceDocument, { userCode, allow })
    setAllowed(allow)
  })
  if (allowed !== undefined) {
    return (
      <div role="status" className="rounded-lg border border-line bg-surface">
        <Empty title={allowed ? words.allowed : words.denied}>{allowed ? words.allowedText : words.deniedText}</Empty>
      </div>
    )
  }
  if (query.isPending) return <Skeleton label={words.title} rows={3} />
  if (query.isError) {
    return <CouldNotLoad what={words.title} error={query.error} onRetry={() => void query.refetch()} />
  }
  if (query.data === null || query.data.allowed !== null || !left) {
    return (
      <div role="alert" className="rounded-lg border border-line bg-surface">
        <Empty title={words.unknown}>{words.unknownFix.replaceAll('`', '')}</Empty>
      </div>
    )
  }
  const { client, address, createdAt } = query.data
  return (
    <Card title={<code>{query.data.userCode}</code>} label={words.lead}>
      <Facts
        facts={[
          [words.client, client],
          [words.address, <code key="address">{address ?? '–'}</code>],
          [words.asked, <Age key="asked" at={createdAt} ago />],
          [words.ends, left],
        ]}
      />
      <div className="border-t border-line px-3.5 py-3">
        <p className="mb-3">{words.warning}</p>
        <div className="flex gap-2">
          <Button look="solid" aria-busy={pending} onClick={() => !pending && void run(true)}>
            {words.allow}
          </Button>
          <Button aria-busy={pending} onClick={() => !pending && void run(false)}>
            {words.deny}
          </Button>
        </div>
        <ProblemText problem={problem} except={[]} />
      </div>
    </Card>
  )
}
