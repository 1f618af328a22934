import { queryOptions } from '@tanstack/react-query'
import { API } from '@/util/paths'
import * as doc from './generated/people'
import { LARGEST_PAGE } from './queries'
import { graphql, signedOut } from './request'
import { problemOf, readJson, send } from './send'
import { withRenewal } from './session'

export type Header = { name: string; value: string }
/** A request to a service, as the control plane takes it. */
export type Tried = {
  runtime: string
  port: number
  method: string
  path: string
  headers: Header[]
  body?: string
}
/** What the service answered. */
export type Answer = {
  status: number
  reason: string
  headers: Header[]
  body: string
  bodyIsBase64: boolean
  sizeBytes: number
  cut: 'SIZE' | 'TIME' | 'CONNECTION' | null
  firstByteMs: number
  wholeMs: number
  address: string
  traceId: string | null
}

export const tryItRuntimesQuery = (project: string, integration: string, environment: string) =>
  queryOptions({
    queryKey: ['runtimes', 'try-it', project, integration, environment],
    queryFn: async ({ signal }) => {
      const filter = { project, integration, environment }
      return (await graphql(doc.TryItRuntimesDocument, { filter, first: LARGEST_PAGE }, signal)).runtimes
    },
    enabled: environment !== '',
  })

export const tryItQuery = (id: string) =>
  queryOptions({
    queryKey: ['runtimes', 'try-it', id],
    queryFn: async ({ signal }) => (await graphql(doc.TryItDocument, { id }, signal)).runtime,
    enabled: id !== '',
  })

/** In which environments services may be tried out. */
export const tryItEnvironmentsQuery = queryOptions({
  queryKey: ['counts', 'environments', 'try-it'],
  queryFn: async ({ signal }) => {
    const answer = await graphql(doc.TryItEnvironmentsDocument, { first: LARGEST_PAGE }, signal)
    return new Map(answer.environments.nodes.map(({ handle, tryIt }) => [handle, tryIt]))
  },
})

/** Sends a request through the control plane; who aborts it ends it there, too. */
export async function sendTried(tried: Tried, signal: AbortSignal): Promise<Answer> {
  const response = await withRenewal(() => send(API.tryIt, tried, signal))
  const answer = await readJson(response)
  if (response.status === 401) signedOut()
  if (!response.ok) throw problemOf(response, answer)
  return answer as Answer
}

export async function setTryIt(environment: string, allowed: boolean) {
  return (await graphql(doc.SetTryItDocument, { environment, allowed })).setTryIt
}
