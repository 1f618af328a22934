import { queryOptions } from '@tanstack/react-query'
import { API } from '@/util/paths'
import * as doc from './generated/people'
import { graphql } from './request'
import { problemOf, readJson, send } from './send'

export const installationQuery = queryOptions({
  queryKey: ['installation'],
  queryFn: async ({ signal }) => (await graphql(doc.InstallationDocument, {}, signal)).installation,
})

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: async ({ signal }) => (await graphql(doc.SettingsDocument, {}, signal)).settings,
})

/** A package that this build of the console ships. */
export type Licence = { name: string; version: string; licence: string; text: string }

/** What the build wrote down beside itself; it changes with the build alone. */
export const licencesQuery = queryOptions({
  queryKey: ['licences'],
  queryFn: async ({ signal }) => {
    const response = await send(API.licences, undefined, signal)
    const answer = await readJson(response)
    if (!response.ok || !Array.isArray(answer)) throw problemOf(response, undefined)
    return answer as Licence[]
  },
  staleTime: Number.POSITIVE_INFINITY,
})
