import { expect, test } from 'vitest'
import { auditFilter, exportAddress, exportsMore } from './filter'

test('the export carries the filters of the list that it knows, and nothing empty', () => {
  const filter = auditFilter({ actor: 'user:ada', action: 'project.', outcome: 'REFUSED', search: 'billing' })
  expect(exportAddress(filter)).toBe('/audit/export?actor=user%3Aada&action=project.&outcome=REFUSED')
  expect(exportAddress(auditFilter({}))).toBe('/audit/export')
})

test('a list that is narrowed by text or place is smaller than its export', () => {
  expect(exportsMore(auditFilter({ actor: 'user:ada' }))).toBe(false)
  expect(exportsMore(auditFilter({ search: 'x' }))).toBe(true)
  expect(exportsMore(auditFilter({ project: 'billing' }))).toBe(true)
})

test('local instants become instants of the API', () => {
  expect(auditFilter({ from: '2026-11-21T10:00' }).from).toBe(new Date('2026-11-21T10:00').toISOString())
})
