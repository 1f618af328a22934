import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { DeleteRuntimeDocument } from '@/api/generated/operations'
import { PAGE_SIZE, secretQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { runtime } from '@/strings/runtimes'
import { ConfirmDialog } from '@/ui/confirm'
import { CopyCli } from '@/ui/copy'
import { notify } from '@/ui/notices'
import { Said } from '@/ui/said'
import { cli } from '@/util/cli'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { runtimeLabel } from '@/util/runtime-label'
import { useAction } from '@/util/use-action'
import type { RuntimeFacts } from './index'

const words = runtime.remove

/** Removes a runtime, alone or with its secret; says that one which still reports comes back. */
export function RemoveRuntime({ runtime: each, onClose }: { runtime: RuntimeFacts; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [withSecret, setWithSecret] = useState(false)
  const label = runtimeLabel(each)
  const { run, pending, problem } = useAction(async () => {
    const { deleteRuntime } = await graphql(DeleteRuntimeDocument, { id: each.id, revokeSecret: withSecret })
    const { orphanedKeyId, secretRevoked } = deleteRuntime
    notify(
      orphanedKeyId === null
        ? words.done(label)
        : secretRevoked
          ? words.doneRevoked(label, orphanedKeyId)
          : words.orphaned(label, orphanedKeyId),
    )
    void client.invalidateQueries({ queryKey: ['secrets'] })
    void client.invalidateQueries({ queryKey: ['runtimes'] })
    await navigate(to.integrationRuntimes(each.project.handle, each.integration.handle))
  })
  return (
    <ConfirmDialog
      title={words.title(label)}
      about={words.about}
      submit={words.submit}
      environment={each.environment}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <CopyCli command={cli.removeRuntime(each, withSecret)} />
      <p className="mb-3">{each.status === 'RUNNING' ? words.live : words.gone}</p>
      {each.secretKeyId ? (
        <ItsSecret keyId={each.secretKeyId} runtimeId={each.id} checked={withSecret} onChange={setWithSecret} />
      ) : (
        <p className="mb-3 text-muted">{words.noSecret}</p>
      )}
    </ConfirmDialog>
  )
}

type ItsSecretProps = { keyId: string; runtimeId: string; checked: boolean; onChange: (checked: boolean) => void }

function ItsSecret({ keyId, runtimeId, checked, onChange }: ItsSecretProps) {
  const blocked = useBlocked()('ENVIRONMENT_MGT_MANAGE_NONPROD')
  const query = useQuery({ ...secretQuery(keyId, PAGE_SIZE), enabled: !blocked })
  const users = query.data?.runtimes
  const listed = users?.nodes.some((each) => each.id === runtimeId) ? 1 : 0
  const others = users && users.totalCount - listed
  const why =
    blocked ??
    (others === undefined ? words.secretUnknown : others > 0 ? words.secretOthers(others) : words.secretAlone)
  return (
    <label className="mb-3 flex cursor-pointer items-start gap-2.5">
      <input
        type="checkbox"
        checked={checked}
        disabled={Boolean(blocked) || (others ?? 0) > 0}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-[3px] accent-solid"
      />
      <span>
        <span className="font-medium">
          <Said text={words.secret(keyId)} />
        </span>
        <span className="block text-[12px] text-muted">{why}</span>
      </span>
    </label>
  )
}
