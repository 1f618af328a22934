import type * as api from '../src/api/generated/schema'

/** What each permission means and what it contains directly, as the control plane tells it. */
export const MEANINGS: Partial<Record<api.Permission, string>> = {
  ALERT_MGT_MANAGE: 'Make and change alert rules and silences; with it everywhere, channels too.',
  AUDIT_MGT_VIEW: 'Read, search and export the audit records.',
  ENVIRONMENT_MGT_MANAGE: 'Create, change and delete environments, critical ones too, and their secrets.',
  ENVIRONMENT_MGT_MANAGE_NONPROD: 'The same for environments that are not critical.',
  INTEGRATION_MGT_EDIT: 'Change integrations and steer their artifacts.',
  INTEGRATION_MGT_MANAGE: 'Create and delete integrations; remove their runtimes.',
  INTEGRATION_MGT_TRY: 'Send requests to services through the control plane, where the environment allows it.',
  INTEGRATION_MGT_VIEW: 'See integrations, their runtimes and artifacts.',
  OBSERVABILITY_MGT_VIEW_INSIGHTS: 'See metrics and traces.',
  OBSERVABILITY_MGT_VIEW_LOGS: 'Read logs.',
  PROJECT_MGT_EDIT: 'Change projects.',
  PROJECT_MGT_MANAGE: 'Create and delete projects.',
  PROJECT_MGT_VIEW: 'See projects.',
  USER_MGT_MANAGE_GROUPS: 'Create, change and delete groups, and map them to roles.',
  USER_MGT_MANAGE_ROLES: 'Create, change and delete roles.',
  USER_MGT_MANAGE_USERS: 'Create, disable and delete users, reset passwords and end sessions.',
  USER_MGT_UPDATE_GROUP_ROLES: 'Map groups to roles, within what one holds oneself.',
  USER_MGT_UPDATE_USERS: 'Change who is in which group.',
  WORKFLOW_MGT_MANAGE_HUMAN_TASKS: 'Claim and complete human tasks.',
  WORKFLOW_MGT_MANAGE_WORKFLOWS: 'Start, stop and retry workflows.',
  WORKFLOW_MGT_VIEW_HUMAN_TASKS: 'See human tasks.',
  WORKFLOW_MGT_VIEW_WORKFLOWS: 'See workflows and their instances.',
}
export const GRANTABLE = Object.keys(MEANINGS) as api.Permission[]

const CONTAINS: Partial<Record<api.Permission, api.Permission[]>> = {
  ENVIRONMENT_MGT_MANAGE: ['ENVIRONMENT_MGT_MANAGE_NONPROD'],
  INTEGRATION_MGT_MANAGE: ['INTEGRATION_MGT_EDIT'],
  INTEGRATION_MGT_EDIT: ['INTEGRATION_MGT_VIEW'],
  INTEGRATION_MGT_TRY: ['INTEGRATION_MGT_VIEW'],
  PROJECT_MGT_MANAGE: ['PROJECT_MGT_EDIT'],
  PROJECT_MGT_EDIT: ['PROJECT_MGT_VIEW'],
  USER_MGT_MANAGE_GROUPS: ['USER_MGT_UPDATE_GROUP_ROLES'],
  USER_MGT_MANAGE_USERS: ['USER_MGT_UPDATE_USERS'],
  WORKFLOW_MGT_MANAGE_HUMAN_TASKS: ['WORKFLOW_MGT_VIEW_HUMAN_TASKS'],
  WORKFLOW_MGT_MANAGE_WORKFLOWS: ['WORKFLOW_MGT_VIEW_WORKFLOWS'],
}

/** A permission with all that it contains. */
export function contained(permission: api.Permission): api.Permission[] {
  return [permission, ...(CONTAINS[permission] ?? []).flatMap(contained)]
}
