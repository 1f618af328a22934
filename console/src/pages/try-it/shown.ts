import type { Answer } from '@/api/try-it'
import { isJson } from './operations'

const PRETTY_MAX = 500_000

export const typeOf = ({ headers }: Pick<Answer, 'headers'>) =>
  headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? ''

/** The body as people read it: JSON in lines, where all of it came; everything else as it is. */
export function pretty(answer: Pick<Answer, 'headers' | 'body' | 'cut'>): string {
  if (answer.cut || answer.body.length > PRETTY_MAX) return answer.body
  if (!isJson(typeOf(answer)) && !/^\s*[[{]/.test(answer.body)) return answer.body
  try {
    const value: unknown = JSON.parse(answer.body)
    const text = JSON.stringify(value, null, 2)
    // Numbers that JavaScript cannot hold would be shown as others.
    const digits = (one: string) => one.match(/-?\d[\d.eE+-]*/g)?.join(' ')
    return digits(text) === digits(answer.body) ? text : answer.body
  } catch {
    return answer.body
  }
}

export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** A file of an answer that is no text. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))
}
