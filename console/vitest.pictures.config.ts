import { defineConfig } from 'vitest/config'

/** `npm run pictures`: takes the pictures of the documentation. */
export default defineConfig({
  test: { environment: 'node', include: ['e2e/pictures.shoot.ts'], hookTimeout: 60_000 },
})
