import { expect, test } from 'vitest'
import { manifest } from '../../scripts/persisted.mjs'
import * as alerts from './generated/alerts'
import * as operations from './generated/operations'
import * as people from './generated/people'
import * as telemetry from './generated/telemetry'
import { bodyOf, digestOf } from './persisted'

const documents = [operations, people, telemetry, alerts]
  .flatMap((module) => Object.entries(module) as [string, object][])
  .filter(([name]) => name.endsWith('Document'))
  .map(([, document]) => document.toString())

test('the manifest of the build holds every document exactly as it is sent, and nothing else', async () => {
  const known = manifest()
  for (const text of documents) expect(known[(await digestOf(text)) ?? '']).toBe(text)
  expect(Object.keys(known)).toHaveLength(new Set(documents).size)
  expect(documents.length).toBeGreaterThan(60)
})

test('a digest is sent alone first, and with its text when it is not known', async () => {
  const text = 'query Q { viewer { id } }'
  const alone = await bodyOf(text, { a: 1 }, false)
  expect(alone).toEqual({
    variables: { a: 1 },
    extensions: { persistedQuery: { version: 1, sha256Hash: await digestOf(text) } },
  })
  expect(await bodyOf(text, { a: 1 }, true)).toEqual({ ...alone, query: text })
})
