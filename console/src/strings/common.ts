/** Words that every page uses. One catalogue: pages take their words from this folder and nowhere else. */
export const strings = {
  product: 'Pilothouse',
  title: (page: string) => `${page} · Pilothouse`,
  unreachable: {
    message: 'The control plane does not answer.',
    fix: 'Check the network and that the control plane is running, then try again.',
  },
  httpFailure: (status: number) => `The control plane answered with status ${status}.`,
  couldNotLoad: (what: string) => `Could not load ${what}`,
  loading: 'Loading…',
  looking: 'Looking…',
  retry: 'Try again',
  reference: 'Reference:',
  cancel: 'Cancel',
  close: 'Close',
  done: 'Done',
  closeWithout: 'Close without a copy',
  save: 'Save',
  saved: (name: string) => `${name} is saved.`,
  edit: 'Edit',
  remove: 'Delete',
  add: 'Add',
  never: 'never',
  apply: 'Apply',
  clearFilters: 'Clear filters',
  moreFilters: 'More filters',
  filtersUsed: 'One of them is set. Clear the filters to put them away.',
  noneMatch: 'Nothing matches these filters',
  copy: 'Copy',
  copyWhat: (what: string) => `Copy ${what}`,
  copied: 'Copied',
  copyFailed: 'Copying was refused by the browser. Select the text and copy it by hand.',
  copyGraphql: 'Copy as GraphQL',
  copyCliOf: (what: string) => `Copy as CLI: ${what}`,
  copyCli: 'Copy as CLI',
  showMore: 'Show more',
  shown: (shown: number, total: number) => `${shown} of ${total}`,
  none: 'none',
  notReported: 'not reported',
  ago: (span: string) => `${span} ago`,
  dismiss: 'Dismiss',
  critical: 'critical',
  criticalMeaning: 'A production environment: what touches it is confirmed by name.',
  missingPermission: (permission: string) => `You need the permission ${permission} here.`,
  clearSearch: 'Clear search',
  noMatch: (search: string) => `Nothing matches “${search}”.`,
}

export const typeNames = {
  PY: { short: 'PY', long: 'Python, through the bridge' },
  BI: { short: 'BI', long: 'WSO2 Integrator: BI (Ballerina)' },
  MI: { short: 'MI', long: 'WSO2 Micro Integrator' },
} as const

export const statusNames = { RUNNING: 'Running', OFFLINE: 'Offline', UNKNOWN: 'Unknown' } as const
export const stateNames = {
  ENABLED: 'Enabled',
  DISABLED: 'Disabled',
  GATED: 'Gated',
  DRAINING: 'Draining',
  FAILED: 'Failed',
  UNKNOWN: 'Not reported',
} as const
/** What the states that need words mean. */
export const stateMeanings: Partial<Record<keyof typeof stateNames, string>> = {
  GATED: 'Its port is held by a parent process and cannot be closed: requests are answered 503.',
  DRAINING: 'It takes no new work and finishes what it has.',
  FAILED: 'It should be enabled and is not.',
}

export const sorts = {
  label: 'Order',
  names: {
    NAME: 'By name, A–Z',
    NAME_DESCENDING: 'By name, Z–A',
    NEWEST: 'Newest first',
    OLDEST: 'Oldest first',
  },
} as const

/** With what requests were answered. */
export const statusFilter = {
  label: 'Answered with',
  hint: '500, 5xx',
  of: 'Whose status',
  requests: 'Requests answered',
  calls: 'Calls made',
} as const

export const tabs = { overview: 'Overview', events: 'Events' }
