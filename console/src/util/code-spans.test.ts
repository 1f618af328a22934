import { expect, test } from 'vitest'
import { splitCode, withoutMarks } from './code-spans'

const plain = (text: string) => ({ code: false, text })
const code = (text: string) => ({ code: true, text })

test.each([
  ['', []],
  ['Nothing marked.', [plain('Nothing marked.')]],
  [
    'Set `environment = "dev"` in `Config.toml`.',
    [plain('Set '), code('environment = "dev"'), plain(' in '), code('Config.toml'), plain('.')],
  ],
  ['`all of it`', [code('all of it')]],
  ['one ` alone', [plain('one ` alone')]],
  ['an empty `` pair', [plain('an empty `` pair')]],
  ['`a` and ` alone', [code('a'), plain(' and ` alone')]],
  ['over `two\nlines` not', [plain('over `two\nlines` not')]],
  ['`<script>alert(1)</script>`', [code('<script>alert(1)</script>')]],
])('%j', (text, parts) => {
  expect(splitCode(text)).toEqual(parts)
})

test('without marks only the words stay', () => {
  expect(withoutMarks('Give each copy its own `runtime`.')).toBe('Give each copy its own runtime.')
  expect(withoutMarks('one ` alone')).toBe('one ` alone')
})
