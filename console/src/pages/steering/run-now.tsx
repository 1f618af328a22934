import { useQuery } from '@tanstack/react-query'
import { Play } from 'lucide-react'
import { useState } from 'react'
import type { SteerableFactsFragment } from '@/api/generated/operations'
import { artifactHostsQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { steering as words } from '@/strings/steering'
import { Button } from '@/ui/button'
import { CopyCli } from '@/ui/copy'
import { Field, Select } from '@/ui/field'
import { CouldNotLoad } from '@/ui/states'
import { cli } from '@/util/cli'
import { lazily } from '@/util/lazily'
import { runtimeLabel } from '@/util/runtime-label'
import { useAction } from '@/util/use-action'
import { CommandLine } from './command-line'
import { useSituation, useSteer } from './use-steering'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

/** Runs a task or a schedule once, on one runtime that is chosen, and shows what became of it. */
export function RunNow({ artifact }: { artifact: SteerableFactsFragment }) {
  const { kind, name, package: from } = artifact
  const { place, environment, seen, blocked } = useSituation()
  const steer = useSteer()
  const hosted = artifact.aspects.some((each) => each.observed.length > 0)
  const [open, setOpen] = useState(false)
  const hosts = useQuery({ ...artifactHostsQuery(place, { kind, name, package: from }), enabled: open })
  const [chosen, setChosen] = useState('')
  const runtime = hosts.data?.find((each) => each.id === chosen) ?? hosts.data?.[0]
  const { run, pending, problem } = useAction(async (confirm: string | null) => {
    if (!runtime) return
    await steer.run(runtime.id, { kind, name, package: from }, confirm)
    setOpen(false)
  })
  const runs = [...seen.values()].filter(
    (each) => each.action === 'TRIGGER' && each.kind === kind && each.name === name && each.package === from,
  )
  const last = runs.sort((a, b) => (a.queuedAt < b.queuedAt ? 1 : -1))[0]
  return (
    <>
      <Button
        small
        aria-label={words.runLabel(name)}
        blocked={blocked ?? (!hosted ? words.nobodyRuns : undefined)}
        onClick={() => setOpen(true)}
      >
        <Play size={12} aria-hidden />
        {words.runNow}
      </Button>
      {last && (
        <ul className="basis-full">
          <CommandLine command={last} />
        </ul>
      )}
      {open && (
        <ConfirmDialog
          title={words.doTo(words.runNow, name)}
          about={words.runConfirm(name, environment.displayName)}
          submit={words.runOnce}
          environment={environment}
          pending={pending}
          blocked={runtime ? undefined : hosts.isPending ? strings.loading : words.nobodyRuns}
          problem={problem}
          onConfirm={(confirm) => void run(confirm)}
          onClose={() => setOpen(false)}
        >
          <Field label={words.runWhere}>
            {(wiring) =>
              hosts.isError ? (
                <CouldNotLoad what={words.hosts} error={hosts.error} onRetry={() => void hosts.refetch()} />
              ) : (
                <Select {...wiring} value={runtime?.id} onChange={(event) => setChosen(event.target.value)}>
                  {hosts.data?.map((each) => (
                    <option key={each.id} value={each.id}>
                      {runtimeLabel(each)}
                    </option>
                  ))}
                </Select>
              )
            }
          </Field>
          {runtime && (
            <CopyCli
              command={cli.trigger(
                { kind, name, package: from },
                runtime.id,
                environment.critical ? environment.handle : null,
              )}
            />
          )}
        </ConfirmDialog>
      )}
    </>
  )
}
