import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { type MappingRowFragment, UnmapRoleDocument } from '@/api/generated/people'
import { graphql } from '@/api/request'
import { access, groups as words } from '@/strings/access'
import { Age } from '@/ui/age'
import { Button } from '@/ui/button'
import { notify } from '@/ui/notices'
import { TableBox } from '@/ui/page'
import { lazily } from '@/util/lazily'
import { to } from '@/util/paths'
import { useAction } from '@/util/use-action'
import { PlaceText, placeWords } from './place-text'
import { useAccessChanged } from './use-access-changed'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

type MappingsProps = {
  label: string
  rows: MappingRowFragment[]
  empty: string
  /** Which side the page is about is not said again in each row. */
  about: 'group' | 'role' | 'user'
  /** Why the viewer may unmap nothing, or undefined. */
  blocked?: string | undefined
}

/** Who has which role within which scope. */
export function Mappings({ label, rows, empty, about, blocked }: MappingsProps) {
  const [leaving, setLeaving] = useState<MappingRowFragment>()
  if (rows.length === 0) return <p className="px-3.5 py-3 text-muted">{empty}</p>
  return (
    <>
      <TableBox label={label}>
        <table className="grid-table">
          <thead>
            <tr>
              {about !== 'group' && <th scope="col">{words.columns.name}</th>}
              {about !== 'role' && <th scope="col">{words.role}</th>}
              <th scope="col" className="w-full">
                {words.scope}
              </th>
              <th scope="col" className="hidden text-right md:table-cell">
                {words.columns.age}
              </th>
              <th scope="col" className="hidden lg:table-cell">
                {words.columns.by}
              </th>
              <th scope="col">
                <span className="sr-only">{access.columns.actions}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.id}>
                {about !== 'group' && (
                  <td>
                    <Link {...to.group(row.group.id)} data-row className="link">
                      {row.group.name}
                    </Link>
                  </td>
                )}
                {about !== 'role' && (
                  <td>
                    <Link {...to.role(row.role.id)} data-row className="link">
                      {row.role.name}
                    </Link>
                  </td>
                )}
                <td>
                  <PlaceText place={row.scope} />
                </td>
                <td className="hidden text-right text-muted md:table-cell">
                  <Age at={row.createdAt} />
                </td>
                <td className="hidden text-muted lg:table-cell">{row.createdBy}</td>
                <td className="text-right">
                  {about !== 'user' && (
                    <Button
                      small
                      look="quiet"
                      aria-label={words.unmapLabel(row.role.name, placeWords(row.scope))}
                      blocked={blocked ?? (row.removable ? undefined : words.notRemovable)}
                      onClick={() => setLeaving(row)}
                    >
                      {words.unmap}
                    </Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBox>
      {leaving && <Unmap mapping={leaving} onClose={() => setLeaving(undefined)} />}
    </>
  )
}

function Unmap({ mapping: { id, group, role, scope }, onClose }: { mapping: MappingRowFragment; onClose: () => void }) {
  const changed = useAccessChanged()
  const { run, pending, problem } = useAction(async () => {
    await graphql(UnmapRoleDocument, { id })
    notify(words.unmapped(role.name))
    changed()
    onClose()
  })
  return (
    <ConfirmDialog
      title={words.unmapTitle(`${group.name}: ${role.name} ${placeWords(scope)}`)}
      about={words.unmapAbout}
      submit={words.unmap}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}
