import { expect, test } from 'vitest'
import { EventParser } from './sse'

test('events are found however the chunks are cut', () => {
  const text = ': hello\n\nevent: next\ndata: {"a":1}\n\nevent: complete\ndata:\n\n'
  const whole = new EventParser().push(text)
  const parser = new EventParser()
  const cut = [...text].flatMap((letter) => parser.push(letter))
  expect(cut).toEqual(whole)
  expect(whole).toEqual([
    { event: ':', data: 'hello' },
    { event: 'next', data: '{"a":1}' },
    { event: 'complete', data: '' },
  ])
})

test('lines may end in CR LF, and data over several lines is joined', () => {
  expect(new EventParser().push('event: next\r\ndata: a\r\ndata: b\r\n\r\n')).toEqual([{ event: 'next', data: 'a\nb' }])
})

test('an event that is not finished waits', () => {
  expect(new EventParser().push('event: next\ndata: {}')).toEqual([])
})
