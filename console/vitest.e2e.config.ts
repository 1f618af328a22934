import { defineConfig } from 'vitest/config'

/** With a browser that is made so many times slower, everything may take so much longer. */
const slower = Number(process.env.CONSOLE_SLOWER ?? 1)

export default defineConfig({
  test: {
    environment: 'node',
    include: ['e2e/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    // A story that passes only the second time is named so.
    retry: process.env.CI ? 1 : 0,
    // CI looks at what failed a second time, alone: `scripts/second-look.mjs`.
    ...(process.env.CI && { reporters: ['default', ['json', { outputFile: 'e2e/failed/stories.json' }]] }),
    expect: { poll: { timeout: 10_000 * slower } },
  },
})
