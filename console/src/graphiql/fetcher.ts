import { send } from '@/api/send'
import { withRenewal } from '@/api/session'
import { EventParser } from '@/api/sse'
import { graphiql as words } from '@/strings/graphiql'
import { API } from '@/util/paths'

type Params = { query: string; operationName?: string | null; variables?: unknown }
type Options = {
  documentAST?: { definitions: readonly { kind: string; operation?: string; name?: { value: string } }[] }
}

/** Whether what is asked for is a subscription, which is answered by a stream. */
export function isSubscription({ operationName }: Params, { documentAST }: Options): boolean {
  const operations = documentAST?.definitions.filter((each) => each.operation !== undefined) ?? []
  const chosen = operations.find((each) => !operationName || each.name?.value === operationName)
  return chosen?.operation === 'subscription'
}

/** Runs what somebody wrote, with the session of the console. */
export function fetcher(params: Params, options: Options = {}) {
  return isSubscription(params, options) ? stream(params) : answer(params)
}

async function answer(params: Params): Promise<object> {
  const response = await withRenewal(() => send(API.graphql, params))
  if (response.status === 401) return { errors: [{ message: words.signIn }] }
  return (await response.json()) as object
}

async function* stream(params: Params): AsyncGenerator<object> {
  const abort = new AbortController()
  const response = await withRenewal(() =>
    fetch(API.graphql, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify(params),
      signal: abort.signal,
    }),
  )
  if (!response.headers.get('Content-Type')?.startsWith('text/event-stream') || !response.body) {
    yield response.status === 401 ? { errors: [{ message: words.signIn }] } : ((await response.json()) as object)
    return
  }
  const parser = new EventParser()
  const reader = response.body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      for (const { event, data } of parser.push(value)) {
        if (event === 'complete') return
        if (event === 'next') yield JSON.parse(data) as object
      }
    }
  } finally {
    abort.abort()
  }
}
