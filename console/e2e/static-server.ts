import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'

/** What the control plane sends with the console: the stories run under the same policy. */
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'"
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/**
 * Serves a build as the control plane does: an address without a dot is the console's own route, and what has a digest in its
 * name is kept by the browser.
 */
export async function serve(folder: URL): Promise<{ origin: string; close: () => void }> {
  const server: Server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const file = extname(pathname) ? pathname.slice(1) : 'index.html'
    try {
      const body = await readFile(new URL(file, folder))
      response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream')
      response.setHeader('Content-Security-Policy', POLICY)
      response.setHeader(
        'Cache-Control',
        file.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      )
      response.end(body)
    } catch {
      response.statusCode = 404
      response.end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { origin: `http://localhost:${port}`, close: () => server.close() }
}
