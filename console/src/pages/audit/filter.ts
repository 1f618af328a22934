import type { AuditFilter } from '@/api/generated/people'
import { API } from '@/util/paths'
import type { AuditSearch } from '@/util/search'

/** A local instant of a form as the API takes it. */
export function instant(local: string | undefined): string | null {
  return local ? new Date(local).toISOString() : null
}

export function auditFilter(search: AuditSearch): AuditFilter {
  return {
    actor: search.actor ?? null,
    action: search.action ?? null,
    outcome: search.outcome ?? null,
    search: search.search ?? null,
    project: search.project ?? null,
    integration: search.integration ?? null,
    environment: search.environment ?? null,
    from: instant(search.from),
    to: instant(search.to),
  }
}

/** The address of the export with those filters that it knows. */
export function exportAddress({ from, to, actor, action, outcome }: AuditFilter): string {
  const known = Object.entries({ from, to, actor, action, outcome }).filter(([, value]) => value != null)
  const query = new URLSearchParams(known as [string, string][]).toString()
  return query ? `${API.auditExport}?${query}` : API.auditExport
}

/** Whether the list is narrower than an export can be. */
export function exportsMore({ search, project, integration, environment }: AuditFilter): boolean {
  return Boolean(search || project || integration || environment)
}
