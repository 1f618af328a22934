import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { licencesOf } from '../../../scripts/licences.mjs'

const at = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

test('each package of a build is told once, with its licence and its words; what is our own is not', () => {
  const found = licencesOf([
    at('node_modules/react/index.js'),
    `\0${at('node_modules/react/cjs/react.production.js')}?commonjs`,
    at('node_modules/@tanstack/react-query/build/modern/index.js'),
    at('src/main.tsx'),
    at('src/app.css'),
  ])
  const names = found.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['@tanstack/react-query', 'react', 'tailwindcss']))
  expect(new Set(names).size).toBe(names.length)
  expect(names).not.toContain('pilothouse-console')
  expect(found.find(({ name }) => name === 'react')).toMatchObject({
    licence: 'MIT',
    text: expect.stringContaining('Permission is hereby granted'),
  })
})
