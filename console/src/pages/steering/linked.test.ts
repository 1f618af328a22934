import { expect, test } from 'vitest'
import { linked } from './linked'

const runtime = (name: string) => ({ id: `id-${name}`, name, runtimeId: 'x' })
const ids = (message: string, ...names: string[]) => {
  const { pieces, unnamed } = linked(message, names.map(runtime))
  return [pieces.map((piece) => piece.runtime?.id ?? piece.text), unnamed.map(({ id }) => id)]
}

test('runtimes that a sentence names become links in it, those that it counts follow it', () => {
  expect(ids('`http` is off on a-1, on on 2 runtimes.', 'a-1', 'b-1', 'b-2')).toEqual([
    ['`http` is off on ', 'id-a-1', ', on on 2 runtimes.'],
    ['id-b-1', 'id-b-2'],
  ])
})

test('a name that begins another one is not taken for it', () => {
  expect(ids('Off on a-12, a-1.', 'a-1', 'a-12')).toEqual([['Off on ', 'id-a-12', ', ', 'id-a-1', '.'], []])
})
