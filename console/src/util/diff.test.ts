import { expect, test } from 'vitest'
import { diffOf } from './diff'

test('only fields that differ are told', () => {
  expect(diffOf('{"a":1,"b":"x"}', '{"a":1,"b":"y"}')).toEqual([{ field: 'b', before: 'x', after: 'y' }])
})

test('what came and what went has one side only', () => {
  expect(diffOf('{"gone":true}', '{"new":[1]}')).toEqual([
    { field: 'gone', before: 'true', after: undefined },
    { field: 'new', before: undefined, after: '[1]' },
  ])
  expect(diffOf(null, '{"a":null}')).toEqual([{ field: 'a', before: undefined, after: 'null' }])
  expect(diffOf(null, null)).toEqual([])
})

test('a text that is no JSON object is shown as it is', () => {
  expect(diffOf('not json', '7')).toEqual([{ field: '', before: 'not json', after: '7' }])
})
