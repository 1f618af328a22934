import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import {
  DeleteEnvironmentDocument,
  DeleteIntegrationDocument,
  DeleteProjectDocument,
  type DeletionFactsFragment,
  type HandleKind,
} from '@/api/generated/people'
import { deletionQuery } from '@/api/people-queries'
import { graphql } from '@/api/request'
import { changing as words } from '@/strings/changing'
import { Button } from '@/ui/button'
import { ConfirmDialog } from '@/ui/confirm'
import { CopyCli } from '@/ui/copy'
import { notify } from '@/ui/notices'
import { CouldNotLoad, Skeleton } from '@/ui/states'
import { cli } from '@/util/cli'
import { to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { hanging } from './counts'

export type Target = { kind: HandleKind; handle: string; displayName: string; project?: string; critical?: boolean }

async function deleteIt({ kind, handle, project = '' }: Target, cascade: boolean, confirm: string | null) {
  const how = { handle, cascade, confirm }
  if (kind === 'PROJECT') return (await graphql(DeleteProjectDocument, how)).deleteProject
  if (kind === 'ENVIRONMENT') return (await graphql(DeleteEnvironmentDocument, how)).deleteEnvironment
  return (await graphql(DeleteIntegrationDocument, { ...how, project })).deleteIntegration
}

/** Says what hangs on it before anything is asked; with that, its handle must be typed. */
export function RemoveDialog({ target, onClose }: { target: Target; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const query = useQuery(deletionQuery(target.kind, target.handle, target.project ?? null))
  const facts = query.data
  const cascade = facts ? hanging(facts).length > 0 : false
  const { run, pending, problem } = useAction(async (typed: string | null) => {
    await deleteIt(target, cascade, typed)
    notify(words.done(target.displayName))
    await navigate(
      target.kind === 'PROJECT'
        ? to.projects()
        : target.kind === 'ENVIRONMENT'
          ? to.environments()
          : to.project(target.project ?? ''),
    )
    onClose()
    for (const key of ['counts', 'runtimes', 'secrets', 'people']) void client.invalidateQueries({ queryKey: [key] })
  })
  return (
    <ConfirmDialog
      title={words.title(target.displayName)}
      about={words.dangerText[target.kind]}
      submit={words.remove[target.kind]}
      // What is critical asks for its name even when nothing hangs on it.
      environment={{ ...target, critical: cascade || target.critical === true }}
      look="danger"
      pending={pending}
      problem={problem}
      blocked={facts === undefined ? words.what : facts === null ? words.gone : undefined}
      onConfirm={(typed) => void run(typed)}
      onClose={onClose}
    >
      {query.isPending ? (
        <Skeleton label={words.what} rows={2} />
      ) : query.isError ? (
        <CouldNotLoad what={words.what} error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <Hanging facts={query.data} />
      )}
      {facts && <CopyCli command={cli.deletePlace(target.kind, target.handle, target.project, cascade)} />}
    </ConfirmDialog>
  )
}

function Hanging({ facts }: { facts: DeletionFactsFragment | null }) {
  if (facts === null) return <p className="mb-3">{words.gone}</p>
  const things = hanging(facts)
  if (things.length === 0) return <p className="mb-3">{words.nothing}</p>
  return (
    <div className="mb-3">
      <p>{words.hangs}</p>
      <ul className="nums my-1 list-disc pl-5">
        {things.map((each) => (
          <li key={each}>{each}</li>
        ))}
      </ul>
      {facts.runningRuntimes > 0 && <p className="rounded-md bg-warn-soft px-2.5 py-2">{words.live}</p>}
    </div>
  )
}

/** The place on a page from which a thing is deleted. */
export function DangerZone({ target, blocked }: { target: Target; blocked: string | undefined }) {
  const [asking, setAsking] = useState(false)
  return (
    <section aria-label={words.danger} className="mt-4 rounded-lg border border-bad/50 bg-surface">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 px-3.5 py-2.5">
        <div className="min-w-0 flex-1 basis-64">
          <h2 className="text-[13.5px]">{words.danger}</h2>
          <p className="text-muted">{words.dangerText[target.kind]}</p>
        </div>
        <Button blocked={blocked} onClick={() => setAsking(true)}>
          {words.remove[target.kind]}
        </Button>
      </div>
      {asking && <RemoveDialog target={target} onClose={() => setAsking(false)} />}
    </section>
  )
}
