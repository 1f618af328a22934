/** Where something holds: everywhere, in an environment, in a project or in an integration. */
export const place = {
  everywhere: 'everywhere',
  inEnvironment: (name: string) => `in ${name}`,
  project: 'Project',
  integration: 'Integration',
  environment: 'Environment',
  allProjects: 'All projects',
  allIntegrations: 'All integrations',
  allEnvironments: 'All environments',
}
