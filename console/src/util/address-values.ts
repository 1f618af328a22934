/** How values are read from an address: strictly, everything else is dropped. */
export type Raw = Record<string, unknown>

export function text(raw: Raw, name: string): string | undefined {
  const value = raw[name]
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined
}

export function filled(raw: Raw, name: string): string | undefined {
  return text(raw, name) || undefined
}

export function flag(raw: Raw, name: string): true | undefined {
  return raw[name] === true || raw[name] === 'true' ? true : undefined
}

export function oneOf<Name extends string>(raw: Raw, name: string, names: readonly Name[]): Name | undefined {
  return names.find((each) => each === raw[name])
}

/** A number of milliseconds above 0, or nothing. */
export const milliseconds = (raw: Raw, name: string) => {
  const value = Number(filled(raw, name))
  return Number.isFinite(value) && value > 0 ? value : undefined
}

/** An instant as a form writes it, or nothing. */
export const moment = (raw: Raw, name: string) => {
  const value = filled(raw, name)
  return value && !Number.isNaN(Date.parse(value)) ? value : undefined
}

/** A number in the address is the text that it was. */
export const code = (raw: Raw, name: string) => (typeof raw[name] === 'number' ? String(raw[name]) : filled(raw, name))

/** One text or several of them, each once. */
export const texts = (raw: Raw, name: string): string[] | undefined => {
  const all = [raw[name]].flat().map((one) => (typeof one === 'string' || typeof one === 'number' ? `${one}` : ''))
  const told = [...new Set(all.map((one) => one.trim()).filter(Boolean))].slice(0, 100)
  return told.length > 0 ? told : undefined
}
