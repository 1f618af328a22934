// @vitest-environment happy-dom
import { render } from '@testing-library/react'
import { expect, test } from 'vitest'
import { Said } from './said'

test('what stands in backticks is code, and nothing that the control plane says becomes markup', () => {
  const { container } = render(<Said text={'Set `a <b>` in <i>Config.toml</i>.'} />)
  expect(container.textContent).toBe('Set a <b> in <i>Config.toml</i>.')
  expect([...container.querySelectorAll('*')].map((each) => each.tagName)).toEqual(['CODE'])
})
