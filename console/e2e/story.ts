import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Actor, findChromium, type OpenOptions, SLOWER, type Stage, setStage } from './browser'

const missing = findChromium() === undefined
const TIMEOUT_MS = 30_000
const required = process.env.PILOTHOUSE_REQUIRE_ALL === '1'

type StoryOptions = OpenOptions & { timeoutMs?: number }
type Story = (actor: Actor) => Promise<void>

/**
 * A file of stories on one browser. Without Chromium they are skipped by name, unless everything is required.
 * Every story also fails on an uncaught error, a console error, and a breach of the content security policy.
 */
export function stories(
  name: string,
  tell: (story: (title: string, story: Story, options?: StoryOptions) => void) => void,
) {
  describe.skipIf(missing && !required)(missing ? `${name} (no Chromium found)` : name, () => {
    let stage: Stage
    beforeAll(async () => {
      stage = await setStage()
    })
    afterAll(async () => {
      await stage?.close()
    })
    tell((title, story, options) =>
      test(title, { timeout: (options?.timeoutMs ?? TIMEOUT_MS) * SLOWER }, async () => {
        const actor = await stage.open(options)
        try {
          await story(actor)
          expect(actor.complaints).toEqual([])
        } finally {
          await actor.leave()
        }
      }),
    )
  })
}
