import { accessSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { serve } from './static-server'

const CANDIDATES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function findChromium(): string | undefined {
  return CANDIDATES.find((path) => {
    try {
      if (path) accessSync(path)
      return Boolean(path)
    } catch {
      return false
    }
  })
}

export type Stage = { origin: string; open: (options?: OpenOptions) => Promise<Actor>; close: () => Promise<void> }
export type Actor = { page: Page; complaints: string[]; leave: () => Promise<void> }
type OpenOptions = {
  signedIn?: boolean
  theme?: 'light' | 'dark'
  viewport?: { width: number; height: number }
}

/** One browser and one server for a file of stories; each story gets a context of its own. */
export async function setStage(): Promise<Stage> {
  const site = await serve(new URL('../dist-mock/', import.meta.url))
  const browser: Browser = await chromium.launch({ executablePath: findChromium() ?? '', args: FLAGS })
  return {
    origin: site.origin,
    open: (options) => open(browser, site.origin, options),
    close: async () => {
      await browser.close()
      site.close()
    },
  }
}

async function open(browser: Browser, origin: string, options: OpenOptions = {}): Promise<Actor> {
  const context: BrowserContext = await browser.newContext({
    baseURL: origin,
    viewport: options.viewport ?? { width: 1440, height: 900 },
    colorScheme: options.theme ?? 'light',
    permissions: ['clipboard-read', 'clipboard-write'],
  })
  await context.addInitScript(
    ([signedIn]) => {
      globalThis.mockQuiet = true
      if (signedIn && sessionStorage.getItem('mock.signed-in') === null) sessionStorage.setItem('mock.signed-in', 'yes')
    },
    [options.signedIn ?? true],
  )
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content Security Policy/.test(message.text())) complaints.push(message.text())
  })
  return { page, complaints, leave: () => context.close() }
}
