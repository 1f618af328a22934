import { QueryClient } from '@tanstack/react-query'
import { createMemoryHistory } from '@tanstack/react-router'
import { expect, test } from 'vitest'
import { makeRouter } from '@/routes'
import { safeTarget, to } from './paths'
import * as search from './search'

test('every address of the console', () => {
  const router = makeRouter(new QueryClient())
  router.update({ ...router.options, history: createMemoryHistory() })
  // Each entry of `to` is checked by its own type already.
  const href = (options: object) => router.buildLocation(options as never).href
  expect({
    home: href(to.home()),
    runtimes: href(to.runtimes()),
    runtimesOfDev: href(to.runtimes('dev')),
    addRuntime: href(to.addRuntime()),
    refusals: href(to.refusals()),
    runtime: href(to.runtime('a/b c')),
    projects: href(to.projects()),
    createProject: href(to.createProject()),
    project: href(to.project('p')),
    projectRuntimes: href(to.projectRuntimes('p')),
    integration: href(to.integration('p', 'i')),
    integrationRuntimes: href(to.integrationRuntimes('p', 'i')),
    integrationSecrets: href(to.integrationSecrets('p', 'i')),
    environments: href(to.environments()),
    createEnvironment: href(to.createEnvironment()),
    secrets: href(to.secrets()),
    signIn: href(to.signIn('/runtimes?environment=dev')),
    signInFromHome: href(to.signIn('/')),
  }).toMatchInlineSnapshot(`
    {
      "addRuntime": "/runtimes?add=",
      "createEnvironment": "/environments?create=true",
      "createProject": "/projects?create=true",
      "environments": "/environments",
      "home": "/",
      "integration": "/projects/p/integrations/i",
      "integrationRuntimes": "/projects/p/integrations/i/runtimes",
      "integrationSecrets": "/projects/p/integrations/i/secrets",
      "project": "/projects/p",
      "projectRuntimes": "/projects/p/runtimes",
      "projects": "/projects",
      "refusals": "/runtimes?refusals=true",
      "runtime": "/runtimes/a%2Fb%20c",
      "runtimes": "/runtimes",
      "runtimesOfDev": "/runtimes?environment=dev",
      "secrets": "/secrets",
      "signIn": "/sign-in?to=%2Fruntimes%3Fenvironment%3Ddev",
      "signInFromHome": "/sign-in",
    }
  `)
})

test.each([
  [undefined, '/'],
  ['/runtimes?environment=dev', '/runtimes?environment=dev'],
  ['https://elsewhere.example/', '/'],
  ['//elsewhere.example', '/'],
  ['/\\elsewhere.example', '/'],
  ['javascript:alert(1)', '/'],
  ['/sign-in?to=/sign-in', '/'],
])('after sign-in %j leads to %j', (target, safe) => {
  expect(safeTarget(target)).toBe(safe)
})

test('search parameters that a page does not know are dropped, and those of a wrong type too', () => {
  expect(search.runtimes({ environment: 'dev', add: '', refusals: 'true', other: 1 })).toEqual({
    environment: 'dev',
    add: '',
    refusals: true,
  })
  expect(search.list({ search: { nested: true }, create: 'no' })).toEqual({ search: undefined, create: undefined })
})
