import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type GroupRowFragment, MapRoleDocument } from '@/api/generated/people'
import { rolesQuery } from '@/api/people-queries'
import { LARGEST_PAGE } from '@/api/queries'
import { graphql } from '@/api/request'
import { groups as words } from '@/strings/access'
import { strings } from '@/strings/common'
import { Field, Select } from '@/ui/field'
import { FormDialog } from '@/ui/form-dialog'
import { notify } from '@/ui/notices'
import type { PlaceSearch } from '@/util/search'
import { useAction } from '@/util/use-action'
import { PlacePicker, placeInput } from './place-picker'
import { useAccessChanged } from './use-access-changed'

/** Gives the members of a group a role within a scope. */
export function MapRole({ group, onClose }: { group: GroupRowFragment; onClose: () => void }) {
  const changed = useAccessChanged()
  const roles = useInfiniteQuery(rolesQuery('', null, LARGEST_PAGE))
  const [role, setRole] = useState('')
  // The Admins of a project are mapped in it, unless somebody means otherwise.
  const [scope, setScope] = useState<PlaceSearch>({ project: group.project?.handle })
  const [tried, setTried] = useState(false)
  const all = roles.data?.pages[0]?.nodes ?? []
  const chosen = all.find((each) => each.id === role)
  const { run, pending, problem } = useAction(async () => {
    await graphql(MapRoleDocument, { input: { group: group.id, role, scope: placeInput(scope) } })
    notify(words.mapped(chosen?.name ?? '', group.name))
    changed()
    onClose()
  })
  return (
    <FormDialog
      wide
      title={words.mapTitle(group.name)}
      about={words.mapAbout}
      submit={words.mapRole}
      pending={pending}
      problem={problem}
      fields={['role']}
      onClose={onClose}
      onSubmit={() => {
        setTried(true)
        if (role) void run()
      }}
    >
      <Field
        label={words.role}
        hint={chosen?.description}
        error={problem?.of('role')?.message ?? (tried && !role ? words.needRole : undefined)}
      >
        {(wiring) => (
          <Select {...wiring} value={role} onChange={(event) => setRole(event.target.value)}>
            <option value="">{roles.isPending ? strings.loading : words.chooseRole}</option>
            {all.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <fieldset>
        <legend className="mb-1 font-medium">{words.scope}</legend>
        <PlacePicker place={scope} onChange={setScope} />
      </fieldset>
    </FormDialog>
  )
}
