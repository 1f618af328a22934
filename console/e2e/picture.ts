import { writeFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import type { OpenOptions } from './browser'
import { packed } from './png'
import { arrive, type Stop } from './tour'

export const THEMES = ['light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
/** Pictures, and with what they were taken. */
export const PICTURES = new URL('../../docs/images/pages/', import.meta.url)
export const TAKEN_BY = new URL('taken-by.json', PICTURES)
/** The demo’s day: all ages and times of a picture count from it. */
const NOW = Date.UTC(2026, 4, 12, 9, 30)
/** Fonts come with the console; how their edges are drawn does not depend on the machine’s settings. */
export const SETTINGS = {
  flags: [
    '--font-render-hinting=none',
    '--disable-lcd-text',
    '--force-color-profile=srgb',
    '--hide-scrollbars',
    '--lang=en-GB',
  ],
  context: { timezoneId: 'UTC', locale: 'en-GB', deviceScaleFactor: 1 },
}
/** How much two colours may differ in one channel before the point counts as another one. */
const TOLERANCE = 32
/** The share of points that may be others: an edge of a letter here and there. */
export const SHARE_MAX = 0.0005

export const look = (stop: Stop, theme: Theme): OpenOptions => ({
  signedIn: stop.as !== '',
  as: stop.as || 'admin',
  theme,
  viewport: { width: 1280, height: 800 },
})

/** The page as a picture: its fonts are there, nothing moves, and the clock stands still. */
export async function take(page: Page, stop: Stop, theme: Theme): Promise<Buffer> {
  await page.clock.setFixedTime(NOW)
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
  await arrive(page, stop)
  await page.evaluate(() => document.fonts.ready.then(() => undefined))
  await page.mouse.move(0, 0)
  await settled(page)
  const png = await page.screenshot({ animations: 'disabled', caret: 'hide' })
  return pack(page, png)
}

/** Waits until two looks in a row are the same. */
async function settled(page: Page): Promise<void> {
  let before = ''
  for (let looks = 0; looks < 40; looks++) {
    const now = (await page.screenshot({ animations: 'disabled', caret: 'hide' })).toString('base64')
    if (now === before) return
    before = now
    await page.waitForTimeout(150)
  }
  throw new Error('The page does not come to rest.')
}

/** The browser unpacks it, and it is packed anew by a palette. */
async function pack(page: Page, png: Buffer): Promise<Buffer> {
  const [text, width, height] = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
    const bitmap = await createImageBitmap(new Blob([bytes]))
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D
    context.drawImage(bitmap, 0, 0)
    let letters = ''
    for (const byte of context.getImageData(0, 0, bitmap.width, bitmap.height).data)
      letters += String.fromCharCode(byte)
    return [btoa(letters), bitmap.width, bitmap.height] as const
  }, png.toString('base64'))
  return packed(Buffer.from(text, 'base64'), width, height)
}

export type Difference = { share: number; picture: Buffer }

/** Where two pictures differ, in red on the paled first one; pictures of unlike size differ everywhere. */
export async function compare(page: Page, one: Buffer, other: Buffer): Promise<Difference> {
  const [share, picture] = await page.evaluate(
    async ([first, second, tolerance]) => {
      const read = async (base64: string) => {
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
        const bitmap = await createImageBitmap(new Blob([bytes]))
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
        const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D
        context.drawImage(bitmap, 0, 0)
        return { canvas, context, image: context.getImageData(0, 0, bitmap.width, bitmap.height) }
      }
      const [a, b] = [await read(first), await read(second)]
      const points = a.image.data
      const others = b.image.data
      const isLike = a.image.width === b.image.width && a.image.height === b.image.height
      let unlike = 0
      for (let at = 0; at < points.length; at += 4) {
        const differs = [0, 1, 2].some(
          (channel) => Math.abs((points[at + channel] ?? 0) - (others[at + channel] ?? 0)) > tolerance,
        )
        const pale = 170 + (points[at] ?? 0) / 3
        if (differs || !isLike) unlike += 1
        points.set(differs ? [220, 0, 0, 255] : [pale, pale, pale, 255], at)
      }
      a.context.putImageData(a.image, 0, 0)
      const blob = await a.canvas.convertToBlob({ type: 'image/png' })
      let text = ''
      for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte)
      return [unlike / (points.length / 4), btoa(text)] as const
    },
    [one.toString('base64'), other.toString('base64'), TOLERANCE] as const,
  )
  return { share, picture: Buffer.from(picture, 'base64') }
}

/** The major version: what it draws stays the same within one. */
export const major = (version: string) => version.split('.')[0] ?? version

export const keep = (url: URL, content: Buffer | string) => writeFileSync(url, content)
