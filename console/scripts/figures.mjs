// Figures of the console in headless Chromium, before a fleet of 10,000 runtimes: the first page's script, the time until it
// answers, scrolling, a fleet that changes a thousand times a second, a live tail. The mocked API runs in this process and not
// in the page, so that what the page does is the console's alone. `--check` fails where behaviour is far off its target.
import { access, readdir, readFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { build, createServer } from 'vite'

const { values } = parseArgs({
  options: {
    runtimes: { type: 'string', default: '10000' },
    changes: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
    lines: { type: 'string', default: '100000' },
    minutes: { type: 'string', default: '0' },
    check: { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
})
const RUNTIMES = Number(values.runtimes)
const CHANGES = Number(values.changes)
const SECONDS = Number(values.seconds)
const LINES = Number(values.lines)
/** So long a tail is to take; without it, as quickly as its lines can be said. */
const MINUTES = Number(values.minutes)
/** Fifty notches of a wheel a second. */
const HAND_PX_S = 5_000
const FRAMES = 200
/** Lines of a tail that come together. */
const AT_ONCE = MINUTES ? 10 : 100

/** `--only scroll` measures that alone: start, scroll, changes, tail. */
const wants = (figure) => values.only?.includes(figure) ?? true

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist-figures')
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
const BROWSERS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** What is held in CI: far enough from the targets that a busy machine passes, and near enough that a broken page does not. */
const LIMITS = { interactiveMs: 15_000, longestFrameMs: 2_000, interactionMs: 2_000, rowsInPage: 200, grownMiB: 150 }

const print = (name, figure) => process.stdout.write(`${name.padEnd(58)} ${figure}\n`)
const round = (figure, digits = 0) => Number(figure.toFixed(digits)).toLocaleString('en')
const share = (figures, part) => figures.toSorted((a, b) => a - b)[Math.floor((figures.length - 1) * part)] ?? 0

async function findBrowser() {
  for (const path of BROWSERS) {
    if (
      path &&
      (await access(path).then(
        () => true,
        () => false,
      ))
    )
      return path
  }
  throw new Error('No Chromium was found: name one by CHROMIUM.')
}

/** The mocked API with a fleet, answering over HTTP. */
async function startApi() {
  const vite = await createServer({
    root: ROOT,
    configFile: false,
    appType: 'custom',
    logLevel: 'error',
    resolve: { alias: { '@': join(ROOT, 'src') } },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  })
  const [{ Db }, { growFleet, storm }, { makeMock }, { getResponse }] = await Promise.all([
    vite.ssrLoadModule('/mock/db.ts'),
    vite.ssrLoadModule('/mock/fleet.ts'),
    vite.ssrLoadModule('/mock/handlers.ts'),
    import('msw'),
  ])
  const db = new Db()
  const fleet = growFleet(db, RUNTIMES)
  const mock = makeMock(db, { get: () => 'admin', set: () => undefined })
  const answer = async (request, response) => {
    const parts = []
    for await (const part of request) parts.push(part)
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const asked = new Request(`http://${request.headers.host}${request.url}`, {
      method: request.method,
      headers: request.headers,
      signal: gone.signal,
      ...(parts.length > 0 ? { body: Buffer.concat(parts) } : {}),
    })
    // Handlers name their addresses without a host, as a page would.
    globalThis.location = { href: asked.url, origin: new URL(asked.url).origin }
    const answered = await getResponse(mock.handlers, asked)
    if (!answered) return void response.writeHead(404).end()
    response.writeHead(answered.status, Object.fromEntries(answered.headers))
    try {
      for await (const chunk of answered.body ?? []) if (!response.write(chunk)) await drained(response, gone.signal)
    } catch {
      // The page went away.
    }
    response.end()
  }
  return { vite, db, fleet, storm, answer }
}

const drained = (response, signal) =>
  new Promise((resolve) => {
    response.once('drain', resolve)
    signal.addEventListener('abort', resolve, { once: true })
  })

async function startSite(api) {
  const files = new Map()
  const read = async (folder, prefix = '/') => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await read(join(folder, entry.name), `${prefix}${entry.name}/`)
      else files.set(prefix + entry.name, await readFile(join(folder, entry.name)))
    }
  }
  await read(DIST)
  const server = createHttpServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    if (/^\/(graphql|auth\/|api\/)/.test(pathname))
      return void api.answer(request, response).catch(() => response.destroy())
    const name = extname(pathname) ? pathname : '/index.html'
    const body = files.get(name)
    if (!body) return void response.writeHead(404).end()
    const zipped = !name.endsWith('.woff2')
    response.writeHead(200, {
      'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
      ...(zipped ? { 'Content-Encoding': 'gzip' } : {}),
    })
    response.end(zipped ? gzipSync(body) : body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, origin: `http://127.0.0.1:${server.address().port}` }
}

/** Notes frames, long tasks and how long interactions take to be seen, from the first moment of a page. */
function watchPage() {
  const seen = { frames: [], tasks: [], interactions: [] }
  globalThis.seen = seen
  let last = performance.now()
  const frame = (now) => {
    seen.frames.push(now - last)
    last = now
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) seen.tasks.push(each.duration)
  }).observe({ type: 'longtask', buffered: true })
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (each.interactionId) seen.interactions.push(each.duration)
  }).observe({ type: 'event', durationThreshold: 16, buffered: true })
  globalThis.forgetSeen = () => {
    for (const each of Object.values(seen)) each.length = 0
  }
}

const seenIn = (page) => page.evaluate(() => structuredClone(globalThis.seen))
const cpu = async (session) => {
  const { metrics } = await session.send('Performance.getMetrics')
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]))
}
const usedMiB = async (session) => {
  await session.send('HeapProfiler.collectGarbage')
  return (await cpu(session)).JSHeapUsedSize / 2 ** 20
}

/** What the main thread did, by kind. */
const spentOn = (before, after) =>
  ['ScriptDuration', 'RecalcStyleDuration', 'LayoutDuration', 'TaskDuration'].map((each) => after[each] - before[each])

function tell(name, { frames, tasks }, spent, seconds) {
  const busy = spent.at(-1)
  print(`${name}: frames a second`, round((frames.length * 1_000) / frames.reduce((sum, each) => sum + each, 0), 1))
  print(
    `${name}: frame, p50 / p95 / longest`,
    `${[0.5, 0.95, 1].map((part) => round(share(frames, part), 1)).join(' / ')} ms`,
  )
  print(`${name}: long tasks (over 50 ms), all / longest`, `${tasks.length} / ${round(Math.max(0, ...tasks))} ms`)
  print(`${name}: main thread busy`, `${round((busy / seconds) * 100)} %`)
  print(`${name}: CPU for script / style / layout / all`, `${spent.map((each) => round(each * 1_000)).join(' / ')} ms`)
}

async function figureFirstPage() {
  const entry = /src="\/assets\/([^"]+\.js)"/.exec(await readFile(join(DIST, 'index.html'), 'utf8'))?.[1]
  print('entry script', `${round(gzipSync(await readFile(join(DIST, 'assets', entry))).length / 1_000, 1)} kB gzip`)
}

/** From the address to rows that answer a key. */
async function figureStart(context, address) {
  const times = []
  let bytes = 0
  for (let turn = 0; turn < 3; turn++) {
    const page = await context.newPage()
    const began = performance.now()
    await page.goto(address, { waitUntil: 'commit' })
    await page.locator('a[data-row]').first().waitFor()
    await page.keyboard.press('j')
    await page.waitForFunction(() => document.activeElement?.matches('a[data-row]'))
    times.push(performance.now() - began)
    bytes = await page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter(({ name }) => name.endsWith('.js'))
        .reduce((sum, each) => sum + each.encodedBodySize, 0),
    )
    await page.close()
  }
  const best = Math.min(...times)
  print('script of the Runtimes page, with all that it loads', `${round(bytes / 1_000, 1)} kB gzip`)
  print('interactive: best of three loads (target 1,500 ms)', `${round(best)} ms`)
  return best
}

async function figureScroll(page, session) {
  await page.waitForFunction(
    (count) => {
      window.scrollTo(0, document.body.scrollHeight)
      return [...document.querySelectorAll('main tr[aria-rowindex]')].some(
        (row) => row.getAttribute('aria-rowindex') > count,
      )
    },
    RUNTIMES,
    { timeout: 180_000, polling: 100 },
  )
  print(
    'rows loaded',
    await page
      .locator('main')
      .getByText(/ loaded$/)
      .first()
      .textContent(),
  )
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.waitForTimeout(500)
  await page.evaluate(() => globalThis.forgetSeen())
  const before = await cpu(session)
  const began = performance.now()
  const { most, drawn, gaps } = await page.evaluate(async (seconds) => {
    const end = document.body.scrollHeight - innerHeight
    const start = performance.now()
    const gaps = []
    let drawn = 0
    let most = 0
    // What the frame will show: nothing changes anymore between this and its painting.
    const empty = () => {
      const spaces = [...document.querySelectorAll('main tbody > tr[aria-hidden]')].map((each) => {
        const { top, bottom } = each.getBoundingClientRect()
        return Math.max(0, Math.min(bottom, innerHeight) - Math.max(top, 0))
      })
      return spaces.reduce((sum, each) => sum + each, 0)
    }
    await new Promise((resolve) => {
      const step = (now) => {
        const done = Math.min(1, (now - start) / (seconds * 1_000))
        window.scrollTo(0, end * done)
        most = Math.max(most, document.querySelectorAll('main tr[data-key]').length)
        drawn += 1
        const gap = empty()
        if (gap >= 1) gaps.push(gap / innerHeight)
        if (done < 1) requestAnimationFrame(step)
        else resolve()
      }
      requestAnimationFrame(step)
    })
    return { most, drawn, gaps }
  }, SECONDS)
  const took = (performance.now() - began) / 1_000
  const seen = await seenIn(page)
  tell(`${round(RUNTIMES)} rows scrolled in ${SECONDS} s`, seen, spentOn(before, await cpu(session)), took)
  print('rows in the page, at most', most)
  print(
    'frames with empty space, and how much of the window is empty then (mean)',
    `${gaps.length} of ${drawn}, ${round(gaps.length > 0 ? (gaps.reduce((sum, each) => sum + each, 0) / gaps.length) * 100 : 0)} %`,
  )
  return { most, longest: Math.max(...seen.frames) }
}

/** The same rows at the pace of a hand that turns a wheel fast; what is above goes through all of them in seconds, as one drags the bar. */
async function figureHand(page, session) {
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.waitForTimeout(500)
  await page.evaluate(() => globalThis.forgetSeen())
  const before = await cpu(session)
  const began = performance.now()
  const empty = await page.evaluate(
    async ({ pace, seconds }) => {
      const start = performance.now()
      let empty = 0
      await new Promise((resolve) => {
        const step = (now) => {
          const spaces = [...document.querySelectorAll('main tbody > tr[aria-hidden]')]
          const isGap = ({ top, bottom }) => Math.min(bottom, innerHeight) - Math.max(top, 0) >= 1
          if (spaces.some((each) => isGap(each.getBoundingClientRect()))) empty += 1
          window.scrollTo(0, ((now - start) / 1_000) * pace)
          if (now - start < seconds * 1_000) requestAnimationFrame(step)
          else resolve()
        }
        requestAnimationFrame(step)
      })
      return empty
    },
    { pace: HAND_PX_S, seconds: SECONDS },
  )
  const took = (performance.now() - began) / 1_000
  const seen = await seenIn(page)
  tell(`${round(HAND_PX_S)} px a second (target 60)`, seen, spentOn(before, await cpu(session)), took)
  print('frames with empty space', `${empty} of ${seen.frames.length}`)
}

/**
 * What one frame costs at 60 frames a second, however many come about on this machine: each goes on by a sixtieth of a
 * second of the same scrolling, and is drawn before the next one begins.
 */
async function figureFrame(page, session) {
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.waitForTimeout(500)
  const before = await cpu(session)
  const empty = await page.evaluate(
    async ({ frames, all }) => {
      const step = (document.body.scrollHeight - innerHeight) / all
      const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))
      let empty = 0
      for (let frame = 1; frame <= frames; frame++) {
        window.scrollTo(0, frame * step)
        await drawn()
        await drawn()
        const isGap = ({ top, bottom }) => Math.min(bottom, innerHeight) - Math.max(top, 0) >= 1
        const spaces = [...document.querySelectorAll('main tbody > tr[aria-hidden]')]
        if (spaces.some((each) => isGap(each.getBoundingClientRect()))) empty += 1
      }
      return empty
    },
    { frames: FRAMES, all: SECONDS * 60 },
  )
  const [script, style, layout, all] = spentOn(before, await cpu(session)).map((each) => (each * 1_000) / FRAMES)
  print(
    `a frame of ${round(RUNTIMES / SECONDS / 60, 1)} rows: CPU for script / style / layout / all (target 16 ms)`,
    `${[script, style, layout, all].map((each) => round(each, 1)).join(' / ')} ms`,
  )
  print('such frames that are still empty when the next one is due', `${empty} of ${FRAMES}`)
}

async function figureStorm(page, session, api) {
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.waitForTimeout(300)
  const stop = api.storm(api.db, api.fleet, CHANGES)
  const from = api.db.sequence
  await page.waitForTimeout(1_000)
  await page.evaluate(() => globalThis.forgetSeen())
  const before = await cpu(session)
  const began = performance.now()
  while (performance.now() - began < SECONDS * 1_000) {
    await page.keyboard.press('j')
    await page.waitForTimeout(150)
    await page.keyboard.press('x')
    await page.waitForTimeout(150)
  }
  const took = (performance.now() - began) / 1_000
  const told = (api.db.sequence - from) / (took + 1)
  const seen = await seenIn(page)
  const spent = spentOn(before, await cpu(session))
  stop()
  print('changes told to the page', `${round(told)} a second`)
  tell('a fleet that changes', seen, spent, took)
  const { interactions } = seen
  print(
    '  keys until seen, p50 / p95 / longest (target 100 ms)',
    `${[0.5, 0.95, 1].map((part) => round(share(interactions, part))).join(' / ')} ms, of ${interactions.length} over 16 ms`,
  )
  return Math.max(0, ...interactions)
}

/**
 * Many lines quickly stand for a long time of few: what grows, grows by the line. `--minutes 60` waits the hour all the same,
 * for what grows by the clock.
 */
async function figureTail(page, session, api, origin) {
  await page.goto(`${origin}/logs?live=true`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.waitForTimeout(2_000)
  const sizes = []
  const parts = 5
  const pauseMs = Math.max(5, (MINUTES * 60_000) / (LINES / AT_ONCE))
  for (let part = 0; part <= parts; part++) {
    await page.evaluate(() => globalThis.forgetSeen()) // an hour of noted frames is a megabyte of our own
    sizes.push(await usedMiB(session))
    if (part === parts) break
    for (let said = 0; said < LINES / parts; said++) {
      api.db.telemetry.say(`line ${part}-${said} of a tail that does not end`, 'INFO')
      if (said % AT_ONCE === AT_ONCE - 1) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    await page.waitForTimeout(1_000)
  }
  print(
    `memory of a live tail, at each fifth of ${round(LINES)} lines${MINUTES ? ` in ${MINUTES} minutes` : ''}`,
    `${sizes.map((each) => round(each, 1)).join(' → ')} MiB`,
  )
  return sizes.at(-1) - sizes[1]
}

async function main() {
  if (!values.built) await build({ root: ROOT, logLevel: 'error', build: { outDir: DIST, emptyOutDir: true } })
  const api = await startApi()
  const { server, origin } = await startSite(api)
  const browser = await chromium.launch({
    executablePath: await findBrowser(),
    args: ['--no-sandbox', '--disable-gpu'],
  })
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
    const list = `${origin}/runtimes?group=none&search=fleet-`
    await figureFirstPage()
    const interactive = wants('start') ? await figureStart(context, list) : 0
    const page = await context.newPage()
    await page.addInitScript(watchPage)
    const session = await context.newCDPSession(page)
    await session.send('Performance.enable', { timeDomain: 'threadTicks' })
    await page.goto(list)
    await page.locator('a[data-row]').first().waitFor()
    const { most, longest } = wants('scroll') ? await figureScroll(page, session) : { most: 0, longest: 0 }
    if (wants('scroll')) await figureHand(page, session)
    if (wants('scroll')) await figureFrame(page, session)
    const interaction = wants('changes') ? await figureStorm(page, session, api) : 0
    const grown = wants('tail') ? await figureTail(page, session, api, origin) : 0
    const wrong = [
      interactive > LIMITS.interactiveMs && 'interactive too late',
      longest > LIMITS.longestFrameMs && 'a frame too long while scrolling',
      most > LIMITS.rowsInPage && 'too many rows in the page',
      interaction > LIMITS.interactionMs && 'an interaction too long',
      grown > LIMITS.grownMiB && 'a tail that keeps its lines',
    ].filter(Boolean)
    if (values.check && wrong.length > 0) throw new Error(`Far off: ${wrong.join(', ')}.`)
  } finally {
    await browser.close()
    server.closeAllConnections()
    server.close()
    // Streams of the mocked API have no end of their own: the process ends them.
    void api.vite.close()
  }
}

await main()
process.exit(0)
