import { expect, test } from 'vitest'
import { cliOf, curlOf, draftOf, emptyDraft, headersOf, missingOf, targetOf } from './compose'
import { operationsOf, unreadable } from './operations'
import { exampleOf, kindOf, type Members } from './schema'
import { pretty, size } from './shown'

const document: Members = {
  openapi: '3.0.1',
  info: { title: 'Orders' },
  servers: [
    {
      url: '{server}:{port}/shop',
      variables: { server: { default: 'http://localhost' }, port: { default: '9090' } },
    },
  ],
  paths: {
    '/orders/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 7 } }],
      get: {
        summary: 'Show an order',
        parameters: [
          { name: 'fields', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { $ref: '#/components/parameters/Tenant' },
        ],
        responses: {
          200: {
            description: 'It.',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
          },
        },
      },
      put: { requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } } } },
      'x-owner': 'ann',
    },
    '/form': {
      post: {
        requestBody: {
          content: {
            'application/x-www-form-urlencoded': {
              schema: { type: 'object', properties: { a: { type: 'string', example: 'b c' } } },
            },
          },
        },
      },
    },
  },
  components: {
    parameters: {
      Tenant: { name: 'X-Tenant', in: 'header', required: true, schema: { type: 'string' }, example: 'acme' },
    },
    schemas: {
      Order: {
        type: 'object',
        properties: {
          id: { type: 'integer', readOnly: true },
          state: { enum: ['open', 'sent'] },
          parent: { anyOf: [{ $ref: '#/components/schemas/Order' }, { type: 'null' }] },
          at: { type: 'string', format: 'date-time' },
        },
      },
    },
  },
}
const definition = { fileName: 'orders.json', definition: JSON.stringify(document) }
const found = operationsOf([definition], [], [])
const named = (key: string) => {
  const operation = found.find((each) => each.key === key)
  if (!operation) throw new Error(`${key} is none of ${found.map((each) => each.key)}`)
  return operation
}

test('a definition tells its operations with base path, port and all parameters', () => {
  expect(found.map(({ key }) => key)).toEqual(['POST /shop/form', 'GET /shop/orders/{id}', 'PUT /shop/orders/{id}'])
  const show = named('GET /shop/orders/{id}')
  expect(show).toMatchObject({ summary: 'Show an order', source: 'Orders', port: 9090 })
  expect(show.parameters.map((each) => [each.in, each.name, each.kind, each.example])).toEqual([
    ['path', 'id', 'integer', '7'],
    ['query', 'fields', 'string[]', ''],
    ['header', 'X-Tenant', 'string', 'acme'],
  ])
  expect(show.outcomes[0]).toMatchObject({ status: '200', description: 'It.' })
})

test('an example is made from a schema: formats, choices, references, and an end to circles', () => {
  const order = exampleOf(document, { $ref: '#/components/schemas/Order' }) as Members
  expect(order).toMatchObject({ state: 'open', at: '2026-01-31T10:00:00Z' })
  expect(order).not.toHaveProperty('id')
  expect(JSON.stringify(order).length).toBeLessThan(2_000)
  expect(
    exampleOf(document, {
      allOf: [{ type: 'object', properties: { a: { const: 1 } } }, { properties: { b: { default: 2 } } }],
    }),
  ).toEqual({ a: 1, b: 2 })
  expect(exampleOf({}, { $ref: '#/nowhere' })).toBeNull()
  expect(exampleOf({ a: { $ref: '#/b' }, b: { $ref: '#/a' } }, { $ref: '#/a' })).toBeNull()
  expect(exampleOf({}, { $ref: 'https://elsewhere.example/x.json' })).toBeNull()
  expect(exampleOf({}, { type: ['null', 'string'], minLength: 9 })).toBe('stringxxx')
  expect(kindOf({}, { type: 'array', items: { oneOf: [{ type: 'string' }, { type: 'integer' }] } })).toBe(
    'string | integer[]',
  )
})

test('what refers to itself in many ways is cut off and never holds the page up', () => {
  const part = { $ref: '#/many' }
  const many = {
    properties: Object.fromEntries(Array.from({ length: 40 }, (_, number) => [`p${number}`, part])),
    anyOf: [{ type: 'null' }],
  }
  const either = { oneOf: Array.from({ length: 40 }, () => ({ $ref: '#/either' })) }
  const odd: Members = { many, either }
  expect(JSON.stringify(exampleOf(odd, part)).length).toBeLessThan(100_000)
  expect(kindOf(odd, { $ref: '#/either' })).toBe('…')
})

test('nothing that a definition may hold breaks the page', () => {
  for (const odd of [
    '',
    'null',
    '[]',
    '{"paths": 7}',
    '{"paths": {"/a": {"get": 1, "post": {"parameters": {}, "requestBody": []}}}}',
    '{"paths":{"/a":{"get":{"parameters":[{"$ref":"#/__proto__"}],"responses":{"200":null}}}}}',
  ])
    expect(() => operationsOf([{ fileName: 'odd', definition: odd }], [], [])).not.toThrow()
  expect(unreadable([{ fileName: 'a', definition: '{' }, definition])).toEqual(['a'])
})

test('what services report is added where no definition tells of it', () => {
  const services = [
    {
      name: 'orders',
      basePath: '/shop',
      listeners: ['l'],
      resources: [
        { methods: ['GET'], path: '/orders/{number}' },
        { methods: ['DELETE', 'REMOTE'], path: '/orders/{number}' },
      ],
    },
  ]
  const all = operationsOf([definition], services, [{ name: 'l', port: 8080 }])
  const added = all.filter((each) => each.source === 'orders')
  expect(added.map(({ key, port }) => [key, port])).toEqual([['DELETE /shop/orders/{number}', 8080]])
  expect(missingOf(added[0], draftOf(added[0] as never)).map(({ name }) => name)).toEqual(['number'])
})

test('a request is written from its fields, encoded once', () => {
  const show = named('GET /shop/orders/{id}')
  const draft = { ...draftOf(show), values: { ...draftOf(show).values, 'path id': 'a/b c', 'query fields': 'x, y&z' } }
  expect(targetOf(show, draft)).toBe('/shop/orders/a%2Fb%20c?fields=x&fields=y%26z')
  expect(headersOf(show, draft)).toEqual([{ name: 'X-Tenant', value: 'acme' }])
  expect(missingOf(show, { ...draft, values: {} }).map(({ name }) => name)).toEqual(['id', 'X-Tenant'])
  expect(targetOf(undefined, { ...emptyDraft, path: 'a b/é?x=%20&y=100%#z' })).toBe('/a%20b/%C3%A9?x=%20&y=100%25%23z')
})

test('the body has its type, unless somebody types another one, and a GET has none', () => {
  const put = named('PUT /shop/orders/{id}')
  const draft = draftOf(put)
  expect(headersOf(put, draft)).toEqual([{ name: 'Content-Type', value: 'application/json' }])
  const own = [{ name: 'content-type', value: 'text/csv' }]
  expect(headersOf(put, { ...draft, headers: own })).toEqual(own)
  expect(headersOf(undefined, { ...draft, method: 'GET' })).toEqual([])
  expect(draftOf(named('POST /shop/form')).body).toBe('a=b+c')
})

test('the line for a terminal survives quotes', () => {
  const draft = { ...emptyDraft, method: 'POST', path: '/a', bodyType: 'text/plain', body: "it's" }
  expect(curlOf('http://10.0.0.7:8080', undefined, draft)).toBe(
    "curl -X POST http://10.0.0.7:8080/a -H 'Content-Type: text/plain' --data-raw 'it'\\''s'",
  )
})

test('the line for the command line says whom, where and by which confirmation', () => {
  const asked = { id: 'r1', port: 8080, environment: { handle: 'prod', critical: true } }
  const draft = { ...emptyDraft, method: 'POST', path: '/a?x=1', bodyType: 'text/plain', body: "it's" }
  expect(cliOf(asked, undefined, draft)).toBe(
    "pilothouse try r1 POST '/a?x=1' --port 8080 -H 'Content-Type: text/plain' --data 'it'\\''s' --confirm prod",
  )
  expect(cliOf(asked, undefined, { ...draft, method: 'GET' })).toBe("pilothouse try r1 GET '/a?x=1' --port 8080")
  const open = { ...asked, environment: { handle: 'dev', critical: false } }
  expect(cliOf(open, undefined, { ...draft, bodyType: '', body: '@home' })).toBe(
    "printf %s @home | pilothouse try r1 POST '/a?x=1' --port 8080 --data -",
  )
})

test('JSON is shown in lines, but never another number than was sent', () => {
  const headers = [{ name: 'content-type', value: 'application/json' }]
  const shown = (body: string, cut: 'SIZE' | null = null) => pretty({ headers, body, cut })
  expect(shown('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
  expect(shown('{"id":12345678901234567890}')).toBe('{"id":12345678901234567890}')
  expect(shown('{"a":1', 'SIZE')).toBe('{"a":1')
  expect(shown('no json')).toBe('no json')
  expect([size(12), size(4_200), size(1_048_576)]).toEqual(['12 B', '4.2 kB', '1.0 MB'])
})
