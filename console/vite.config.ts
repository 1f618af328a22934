import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { licencesOf } from './scripts/licences.mjs'
import { manifest } from './scripts/persisted.mjs'

const CONTROL_PLANE = process.env.PILOTHOUSE_URL ?? 'https://localhost:9446'

/** The mock API lives in a service worker: its script comes from the msw package, not from our sources. */
function mockWorker(): Plugin {
  const script = () => readFile(new URL('./node_modules/msw/lib/mockServiceWorker.js', import.meta.url))
  return {
    name: 'mock-worker',
    configureServer(server) {
      server.middlewares.use('/mockServiceWorker.js', async (_request, response) => {
        response.setHeader('Content-Type', 'text/javascript').end(await script())
      })
    },
    async generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'mockServiceWorker.js', source: await script() })
    },
  }
}

/** Writes down beside the build which queries it sends, by their digests. */
function persistedQueries(): Plugin {
  return {
    name: 'persisted-queries',
    apply: 'build',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'persisted.json', source: JSON.stringify(manifest()) })
    },
  }
}

/** Writes down beside the build which packages it ships, with their licences. */
function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle() {
      this.emitFile({
        type: 'asset',
        fileName: 'licences.json',
        source: JSON.stringify(licencesOf([...this.getModuleIds()])),
      })
    },
  }
}

export default defineConfig(({ mode }) => ({
  plugins: [react(), tailwindcss(), persistedQueries(), licences(), mode === 'mock' ? mockWorker() : null],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    chunkSizeWarningLimit: 1_200,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // GraphiQL is a page of its own; the demo without a control plane has none.
    rolldownOptions: {
      input: mode === 'mock' ? ['index.html'] : ['index.html', 'graphiql.html'],
      // A directive of a module that is compiled already ("use no memo") means nothing to who builds this.
      onLog(level, log, tell) {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') tell(level, log)
      },
    },
  },
  server: {
    host: '127.0.0.1',
    fs: { allow: ['..'] },
    proxy:
      mode === 'mock'
        ? undefined
        : {
            // The control plane refuses state changes whose Origin is not its own.
            '^/(graphql|auth/)': {
              target: CONTROL_PLANE,
              secure: false,
              changeOrigin: true,
              headers: { origin: CONTROL_PLANE },
            },
          },
  },
  preview: { host: '127.0.0.1', port: 9447 },
  test: { environment: 'node', include: ['src/**/*.test.{ts,tsx}', 'mock/**/*.test.ts', 'scripts/**/*.test.ts'] },
}))
