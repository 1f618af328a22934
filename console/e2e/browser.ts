import { accessSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { serve } from './static-server'

const CANDIDATES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
/** Where the build with the mocked API lies; another one is named by its folder. */
const BUILD = process.env.CONSOLE_BUILD
  ? pathToFileURL(`${process.env.CONSOLE_BUILD}/`)
  : new URL('../dist-mock/', import.meta.url)
/** So many times slower the browser is made, and so much longer is waited: finds stories that are only right when all is fast. */
export const SLOWER = Number(process.env.CONSOLE_SLOWER ?? 1)
/**
 * Chromium makes two pages of its own for the address bar beside every page of ours: they cost as much as a story, and nobody
 * sees an address bar. The first names are what Playwright turns off, since only the last list of a command line counts.
 */
const UNWANTED = [
  'AimEnabled',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsFirstBalancedModeAutoEnable',
  'HttpsUpgrades',
  'LensOverlay',
  'MediaRouter',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PaintHolding',
  'PreconnectToSearch',
  'ThirdPartyStoragePartitioning',
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxFullPopup',
  'WebUIOmniboxPopup',
]
const FLAGS = [
  `--disable-features=${UNWANTED.join(',')}`,
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

export type Stage = { open: (options?: OpenOptions) => Promise<Actor>; close: () => Promise<void>; version: string }
export type StageOptions = { flags?: string[]; context?: BrowserContextOptions }
export type Actor = { page: Page; complaints: string[]; leave: () => Promise<void> }
export type OpenOptions = {
  signedIn?: boolean
  /** Whose session it is; the Super Admin's unless told. */
  as?: string
  methods?: { password: boolean; oidc: { displayName: string } | null }
  theme?: 'light' | 'dark'
  viewport?: { width: number; height: number }
}

/** One browser, one context and one server for a file of stories; each story gets a page, and with it a mock of its own. */
export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const site = await serve(BUILD)
  const browser: Browser = await chromium.launch({
    executablePath: findChromium() ?? '',
    args: [...FLAGS, ...(options.flags ?? [])],
  })
  const permissions = ['clipboard-read', 'clipboard-write']
  const context: BrowserContext = await browser.newContext({ ...options.context, baseURL: site.origin, permissions })
  // Shorter than a story: what did not come is named.
  context.setDefaultTimeout(15_000 * SLOWER)
  return {
    version: browser.version(),
    open: (each) => open(context, each),
    close: async () => {
      await browser.close()
      site.close()
    },
  }
}

async function open(context: BrowserContext, options: OpenOptions = {}): Promise<Actor> {
  const page = await context.newPage()
  if (SLOWER > 1) await (await context.newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate: SLOWER })
  await page.setViewportSize(options.viewport ?? { width: 1440, height: 900 })
  await page.emulateMedia({ colorScheme: options.theme ?? 'light' })
  await page.addInitScript(
    ({ username, methods }) => {
      globalThis.mockQuiet = true
      globalThis.mockMethods = methods
      if (username && sessionStorage.getItem('mock.signed-in') === null)
        sessionStorage.setItem('mock.signed-in', username)
    },
    { username: (options.signedIn ?? true) ? (options.as ?? 'admin') : '', methods: options.methods },
  )
  const complaints: string[] = []
  // The mock's worker, looked at anew while another page of this browser takes it down: nothing of the console.
  const ofMock = (text: string) => text.includes('Failed to update a ServiceWorker')
  page.on('pageerror', (error) => void (ofMock(String(error)) || complaints.push(String(error))))
  page.on('console', (message) => {
    if (ofMock(message.text())) return
    if (message.type() === 'error' || /Content Security Policy/.test(message.text())) complaints.push(message.text())
  })
  return { page, complaints, leave: () => page.close() }
}

/** Presses `g` and a letter as a hand does: the second key does not wait until the page has heard of the first. */
export async function pressGo(page: Page, letter: string): Promise<void> {
  await Promise.all([page.keyboard.press('g'), page.keyboard.press(letter)])
}
