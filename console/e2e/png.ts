import { crc32, deflateSync } from 'node:zlib'

/** As many colours as a byte tells apart. */
const PALETTE_MAX = 256
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

const apart = (one: number, other: number) =>
  ((one >> 16) - (other >> 16)) ** 2 +
  (((one >> 8) & 255) - ((other >> 8) & 255)) ** 2 +
  ((one & 255) - (other & 255)) ** 2

/**
 * Chooses colours: those used most, then whatever is farthest from all of them, so that a small green dot stays green.
 * Tells for every colour the number of the chosen one that stands for it.
 */
function choose(colours: Uint32Array): { palette: number[]; numbers: Map<number, number> } {
  const counts = new Map<number, number>()
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const used = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([colour]) => colour)
  const palette = used.slice(0, PALETTE_MAX / 2)
  const numbers = new Map<number, number>()
  const away = new Map<number, number>()
  const offer = (colour: number, number: number) => {
    const distance = apart(colour, palette[number] ?? 0)
    if (distance >= (away.get(colour) ?? Number.POSITIVE_INFINITY)) return
    away.set(colour, distance)
    numbers.set(colour, number)
  }
  for (const colour of used) for (const number of palette.keys()) offer(colour, number)
  while (palette.length < Math.min(PALETTE_MAX, used.length)) {
    const farthest = used.reduce((most, each) => ((away.get(each) ?? 0) > (away.get(most) ?? 0) ? each : most))
    palette.push(farthest)
    for (const colour of used) offer(colour, palette.length - 1)
  }
  return { palette, numbers }
}

function chunk(kind: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), content])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(content.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

/** Packs points of four bytes (red, green, blue, whatever) as a PNG with a palette. Source: PNG, third edition. */
export function packed(points: Buffer, width: number, height: number): Buffer {
  const colours = new Uint32Array(width * height)
  for (let at = 0; at < colours.length; at++) colours[at] = points.readUIntBE(at * 4, 3)
  const { palette, numbers } = choose(colours)
  // Text on plain ground packs best without filters: each row begins with a zero that says so.
  const rows = Buffer.alloc((width + 1) * height)
  for (const [at, colour] of colours.entries()) rows[at + Math.floor(at / width) + 1] = numbers.get(colour) ?? 0
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3, 0, 0, 0], 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
