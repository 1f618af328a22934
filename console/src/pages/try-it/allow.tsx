import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { EnvironmentRowFragment } from '@/api/generated/operations'
import { setTryIt, tryItEnvironmentsQuery } from '@/api/try-it'
import { tryIt } from '@/strings/try-it'
import { notify } from '@/ui/notices'
import { Switch } from '@/ui/switch'
import { lazily } from '@/util/lazily'
import { managing, mayNot } from '@/util/permissions'
import { useAction } from '@/util/use-action'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

const words = tryIt.setting

/** Whether services may be tried out in an environment; a critical one asks for its name before it is opened. */
export function AllowTryIt({ environment }: { environment: EnvironmentRowFragment }) {
  const client = useQueryClient()
  const known = useQuery(tryItEnvironmentsQuery)
  const [asking, setAsking] = useState(false)
  const { run, pending, problem } = useAction(setTryIt)
  const allowed = known.data?.get(environment.handle)
  if (allowed === undefined) return null
  const say = async (next: boolean) => {
    const said = await run(environment.handle, next)
    setAsking(false)
    if (said) await client.invalidateQueries({ queryKey: tryItEnvironmentsQuery.queryKey })
    else notify(words.failed, 'bad')
    void client.invalidateQueries({ queryKey: ['runtimes', 'try-it'] })
  }
  return (
    <>
      <Switch
        label={words.of(environment.displayName)}
        on={allowed}
        tip={allowed ? words.forbid : words.allow}
        blocked={mayNot(environment.permissions, managing(environment))}
        busy={pending}
        onPress={() => (!allowed && environment.critical ? setAsking(true) : void say(!allowed))}
      />
      {asking && (
        <ConfirmDialog
          title={words.allowTitle(environment.displayName)}
          about={words.allowAbout}
          submit={words.submit}
          environment={environment}
          pending={pending}
          problem={problem}
          onConfirm={() => void say(true)}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}
