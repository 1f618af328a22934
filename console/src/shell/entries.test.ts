import { describe, expect, test } from 'vitest'
import type { Permission } from '@/api/generated/operations'
import { PERMISSIONS } from '@/util/choices'
import { entriesOf, entryFor, everyEntry } from './entries'

const everything: readonly Permission[] = PERMISSIONS
const nowhere = { project: undefined, integration: undefined }
const project = { project: 'billing', integration: undefined }
const integration = { project: 'billing', integration: 'dunning' }
const scopes = { nowhere, project, integration }

describe('the pages of the navigation', () => {
  test.each(Object.entries(scopes))('each has a key of its own that is no other key of the page: %s', (_, scope) => {
    const letters = entriesOf(scope, everything).map(({ letter }) => letter)
    expect(letters.length).toBeGreaterThan(1)
    expect(new Set(letters).size).toBe(letters.length)
    for (const letter of letters) expect(letter).toMatch(/^[a-fhil-z]$/)
  })

  test('a page has the same key in every scope, and another page never has it', () => {
    const names = new Map<string, Set<string>>()
    for (const scope of Object.values(scopes))
      for (const { letter, name } of entriesOf(scope, everything))
        names.set(letter, (names.get(letter) ?? new Set()).add(name))
    // `i` leads from a project to its integrations, and from one of them to its overview.
    names.delete('i')
    for (const [letter, found] of names) expect([...found], letter).toHaveLength(1)
  })

  test('a key leads to the page beside the present one, and else to that of the organization', () => {
    expect(entryFor('l', integration, everything)?.link.to).toContain('$integration')
    expect(entryFor('l', project, everything)?.link.to).toBe('/logs')
    expect(entryFor('b', integration, everything)?.link.to).toBe('/alerts')
    expect(entryFor('j', nowhere, everything)).toBeUndefined()
  })

  test('administration is not there for whom it is closed; telemetry is, and says why it leads nowhere', () => {
    const held: Permission[] = ['INTEGRATION_MGT_VIEW', 'PROJECT_MGT_VIEW', 'OBSERVABILITY_MGT_VIEW_LOGS']
    const listed = entriesOf(nowhere, held)
    expect(listed.map(({ letter }) => letter).join('')).toBe('orwpeltmbv')
    expect(listed.filter(({ blocked }) => blocked).map(({ name }) => name)).toEqual(['Traces', 'Metrics'])
    expect(everyEntry(nowhere, held).find(({ letter }) => letter === 'm')?.blocked).toContain(
      'observability_mgt:view_insights',
    )
  })
})
