import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useEffect, useEffectEvent, useState } from 'react'
import {
  AddMicroIntegratorUserDocument,
  type AddMicroIntegratorUserMutation,
  RemoveMicroIntegratorUserDocument,
} from '@/api/generated/operations'
import { commandQuery } from '@/api/queries'
import { graphql } from '@/api/request'
import { runtime as runtimeWords } from '@/strings/runtimes'
import { Button } from '@/ui/button'
import { CommandMark } from '@/ui/command'
import { ConfirmDialog, TypedName, unnamed } from '@/ui/confirm'
import { CopyCli } from '@/ui/copy'
import { FormDialog } from '@/ui/form-dialog'
import { TableBox } from '@/ui/page'
import { Said } from '@/ui/said'
import { Empty } from '@/ui/states'
import { TextField } from '@/ui/text-field'
import { cli } from '@/util/cli'
import { runtimeLabel } from '@/util/runtime-label'
import { useAction } from '@/util/use-action'
import { usersIn } from './answers'
import type { RuntimeFacts } from './index'
import { Question } from './question'
import { faultsOf, unremovable } from './user-rules'

const words = runtimeWords.users

type Asked = AddMicroIntegratorUserMutation['addMicroIntegratorUser']

type UsersProps = {
  runtime: RuntimeFacts
  /** Why nobody can be added or removed now, or undefined. */
  blocked: string | undefined
}

/** The users of a Micro Integrator: asked for, added and removed; read again when a change has ended: one that broke off may have been made. */
export function Users({ runtime, blocked }: UsersProps) {
  const client = useQueryClient()
  const [round, setRound] = useState(0)
  const [open, setOpen] = useState<{ remove: string } | 'add'>()
  const [asked, setAsked] = useState<string>()
  const close = () => setOpen(undefined)
  const follow = (command: Asked) => {
    client.setQueryData(commandQuery(command.id).queryKey, command)
    void client.invalidateQueries({ queryKey: ['commands'] })
    setAsked(command.id)
    close()
  }
  const removing = typeof open === 'object' ? open.remove : undefined
  return (
    <>
      {asked && <Outcome key={asked} id={asked} onEnded={() => setRound((before) => before + 1)} />}
      <Question
        key={round}
        input={{ runtime: runtime.id, question: 'USERS' }}
        beside={
          <Button look="solid" blocked={blocked} onClick={() => setOpen('add')}>
            <Plus size={13} aria-hidden />
            {words.add}
          </Button>
        }
      >
        {(answer) => <List users={usersIn(answer)} blocked={blocked} onRemove={(user) => setOpen({ remove: user })} />}
      </Question>
      {open === 'add' && <AddUser runtime={runtime} onAsked={follow} onClose={close} />}
      {removing && <RemoveUser runtime={runtime} user={removing} onAsked={follow} onClose={close} />}
    </>
  )
}

function List(props: { users: string[]; blocked: string | undefined; onRemove: (user: string) => void }) {
  const { users, blocked, onRemove } = props
  const { user: heading, noUsers } = runtimeWords.answer
  if (users.length === 0) return <Empty title={noUsers} />
  return (
    <TableBox label={heading}>
      <table className="grid-table">
        <thead>
          <tr>
            <th scope="col">{heading}</th>
            <th scope="col">
              <span className="sr-only">{words.remove}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <tr key={user}>
              <td className="mono [overflow-wrap:anywhere]">{user}</td>
              <td className="text-right">
                <Button
                  small
                  look="quiet"
                  aria-label={words.removeOf(user)}
                  blocked={blocked ?? unremovable(user)}
                  onClick={() => onRemove(user)}
                >
                  {words.remove}
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  )
}

/** How the last change stands; what failed says why. */
function Outcome({ id, onEnded }: { id: string; onEnded: () => void }) {
  const command = useQuery(commandQuery(id)).data
  const state = command?.state
  const ended = useEffectEvent(onEnded)
  useEffect(() => {
    if (state && state !== 'QUEUED' && state !== 'DELIVERED') ended()
  }, [state])
  if (!command) return null
  const isBad = state === 'FAILED' || state === 'EXPIRED'
  const done = command.action === 'ADD_USER' ? words.added(command.name) : words.removed(command.name)
  return (
    <section aria-label={words.outcome} className={`rounded-md px-2.5 py-2 ${isBad ? 'bg-bad-soft' : 'bg-sunken'}`}>
      <p role={isBad ? 'alert' : 'status'}>
        <CommandMark state={command.state} /> <Said text={state === 'CONFIRMED' ? done : command.reason} />
      </p>
    </section>
  )
}

type FormProps = { runtime: RuntimeFacts; onAsked: (command: Asked) => void; onClose: () => void }

function AddUser({ runtime, onAsked, onClose }: FormProps) {
  const { environment, id } = runtime
  const [draft, setDraft] = useState({ name: '', password: '', again: '' })
  const [administrator, setAdministrator] = useState(false)
  const [typed, setTyped] = useState('')
  const [tried, setTried] = useState(false)
  const confirm = environment.critical ? typed : null
  const { run, pending, problem } = useAction(async () => {
    const input = { runtime: id, name: draft.name, password: draft.password, administrator, confirm }
    onAsked((await graphql(AddMicroIntegratorUserDocument, { input })).addMicroIntegratorUser)
  })
  const faults = faultsOf(draft)
  const mismatch = unnamed(environment, typed)
  const errorOf = (field: keyof typeof draft) => problem?.of(field)?.message ?? (tried ? faults[field] : undefined)
  const set = (field: keyof typeof draft) => (value: string) => setDraft({ ...draft, [field]: value })
  return (
    <FormDialog
      title={words.addTitle(runtimeLabel(runtime))}
      about={words.addAbout}
      submit={words.add}
      pending={pending}
      problem={problem}
      fields={['name', 'password', 'confirm']}
      onClose={onClose}
      onSubmit={() => {
        setTried(true)
        if (Object.keys(faults).length === 0 && !mismatch) void run()
      }}
    >
      <CopyCli command={cli.addUser(runtime, draft.name || 'NAME', administrator, confirm)} />
      <TextField
        mono
        label={words.name}
        hint={words.nameHint}
        value={draft.name}
        onChange={set('name')}
        error={errorOf('name')}
      />
      <TextField
        type="password"
        autoComplete="new-password"
        label={words.password}
        hint={words.passwordHint}
        value={draft.password}
        onChange={set('password')}
        error={errorOf('password')}
      />
      <TextField
        type="password"
        autoComplete="new-password"
        label={words.again}
        value={draft.again}
        onChange={set('again')}
        error={errorOf('again')}
      />
      <label className="mb-3.5 flex cursor-pointer items-start gap-2.5">
        <input
          type="checkbox"
          checked={administrator}
          onChange={(event) => setAdministrator(event.target.checked)}
          className="mt-[3px] accent-solid"
        />
        <span>
          {words.administrator}
          <span className="block text-[12px] text-muted">{words.administratorHint}</span>
        </span>
      </label>
      <TypedName
        environment={environment}
        value={typed}
        onChange={setTyped}
        error={problem?.of('confirm')?.message ?? (tried ? mismatch : undefined)}
      />
    </FormDialog>
  )
}

function RemoveUser({ runtime, user, onAsked, onClose }: FormProps & { user: string }) {
  const { environment, id } = runtime
  const { run, pending, problem } = useAction(async (confirm: string | null) => {
    const input = { runtime: id, name: user, confirm }
    onAsked((await graphql(RemoveMicroIntegratorUserDocument, { input })).removeMicroIntegratorUser)
  })
  return (
    <ConfirmDialog
      title={words.removeTitle(user, runtimeLabel(runtime))}
      about={words.removeAbout}
      submit={words.removeOf(user)}
      environment={environment}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={(confirm) => void run(confirm)}
      onClose={onClose}
    >
      <CopyCli command={cli.removeUser(runtime, user, environment.critical ? environment.handle : null)} />
    </ConfirmDialog>
  )
}
