export type StreamEvent = { event: string; data: string }

/** Splits a stream of text into server-sent events; comments are reported as event `:` because they prove life. */
export class EventParser {
  private rest = ''

  push(chunk: string): StreamEvent[] {
    // A chunk may end between \r and \n: what is not yet followed by a line feed stays for the next one.
    const lines = (this.rest + chunk).split('\n')
    this.rest = lines.pop() ?? ''
    const events: StreamEvent[] = []
    for (const line of lines) this.line(line.replace(/\r$/, ''), events)
    return events
  }

  private event = ''
  private data: string[] = []

  private line(line: string, events: StreamEvent[]): void {
    if (line === '') {
      if (this.event || this.data.length) events.push({ event: this.event || 'message', data: this.data.join('\n') })
      this.event = ''
      this.data = []
      return
    }
    if (line.startsWith(':')) {
      events.push({ event: ':', data: line.slice(1).trim() })
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.event = value
    if (field === 'data') this.data.push(value)
  }
}
