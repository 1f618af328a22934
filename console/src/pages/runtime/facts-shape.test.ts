import { expect, test } from 'vitest'
import { shapeOf } from './facts-shape'

test('parameters become rows of name and value', () => {
  expect(shapeOf('[{"name":"interval","value":"1000"},{"name":"sequential","value":true}]')).toEqual({
    columns: ['name', 'value'],
    rows: [
      ['interval', '1000'],
      ['sequential', 'true'],
    ],
  })
})

test('parts that differ in their members have all columns, and nothing where one has none', () => {
  expect(shapeOf('[{"name":"A","type":"api"},{"name":"B"}]')).toEqual({
    columns: ['name', 'type'],
    rows: [
      ['A', 'api'],
      ['B', ''],
    ],
  })
})

test('one object is a table of its members', () => {
  expect(shapeOf('{"retries":3,"to":["a"]}')).toEqual({
    columns: ['name', 'value'],
    rows: [
      ['retries', '3'],
      ['to', '["a"]'],
    ],
  })
})

test('a plain text stays one, even if it looks like the begin of JSON', () => {
  for (const value of ['http://a', '[not json', '{}', '[]', '["a","b"]', '4', ''])
    expect(shapeOf(value)).toBeUndefined()
})
