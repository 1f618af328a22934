import { expect, test } from 'vitest'
import { filesIn, loggersIn, propertiesIn, readAnswer, registryIn, sourceIn, usersIn } from './answers'

test('loggers of a Python runtime come with what is effective, what the program set, and handlers', () => {
  const answer = readAnswer(
    '{"outcome":"listed","loggers":[{"logger":"root","level":"WARN","effectiveLevel":"WARN","handlers":[{"handler":"StreamHandler","level":"NOTSET"}],"programLevel":"INFO"}],"total":40}',
  )
  expect(loggersIn(answer)).toEqual({
    loggers: [
      { logger: 'root', level: 'WARN', effective: 'WARN', program: 'INFO', handlers: ['StreamHandler NOTSET'] },
    ],
    total: 40,
  })
})

test('loggers of Micro Integrator are read too', () => {
  const answer = { count: 1, list: [{ loggerName: 'org.apache', componentName: 'org.apache', level: 'OFF' }] }
  expect(loggersIn(answer).loggers).toMatchObject([{ logger: 'org.apache', level: 'OFF', effective: undefined }])
})

test('what is no answer is nothing, not a broken page', () => {
  expect(readAnswer('nonsense')).toBeUndefined()
  expect(readAnswer(null)).toBeUndefined()
  for (const answer of [undefined, null, 3, 'text', [], { loggers: 'x' }, { list: [1, null, {}] }]) {
    expect(loggersIn(answer)).toEqual({ loggers: [], total: 0 })
    expect(filesIn(answer)).toEqual([])
  }
})

test('log files by name and size', () => {
  expect(filesIn({ count: 1, list: [{ FileName: 'wso2carbon.log', Size: '2 KB' }] })).toEqual([
    { name: 'wso2carbon.log', size: '2 KB' },
  ])
})

test('a definition is its configuration, or all that was answered', () => {
  expect(sourceIn({ name: 'A', configuration: '<api/>' })).toBe('<api/>')
  expect(sourceIn('<api/>')).toBe('<api/>')
  expect(sourceIn({ name: 'A' })).toBe('{\n  "name": "A"\n}')
  expect(sourceIn(undefined)).toBe('')
})

test('users by their names', () => {
  expect(usersIn({ count: 2, list: [{ userId: 'admin' }, { username: 'ada' }, {}] })).toEqual(['admin', 'ada'])
  expect(usersIn('nobody')).toEqual([])
})

test('of a folder of the registry folders come first, and an entry without a name is none', () => {
  const list = [{ name: 'b.xml', mediaType: 'text/xml' }, { name: 'a.xml' }, { name: 'z', mediaType: 'directory' }, {}]
  expect(registryIn({ count: 4, list })).toEqual([
    { name: 'z', mediaType: 'directory', isFolder: true },
    { name: 'a.xml', mediaType: '', isFolder: false },
    { name: 'b.xml', mediaType: 'text/xml', isFolder: false },
  ])
})

test('of what has no properties Micro Integrator answers a sentence: that is none', () => {
  expect(propertiesIn({ list: [{ name: 'owner', value: 'edi' }] })).toEqual([['owner', 'edi']])
  expect(propertiesIn({ list: ['No properties'] })).toEqual([])
})
