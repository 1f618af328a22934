// @vitest-environment happy-dom
import { QueryClient } from '@tanstack/react-query'
import { createMemoryHistory, RouterContextProvider } from '@tanstack/react-router'
import { cleanup, createEvent, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'
import { makeRouter } from '@/routes'
import { to } from '@/util/paths'
import { addressOf, RowLink, useRowLinks } from './row-link'

afterEach(cleanup)

function makeRoutes() {
  const router = makeRouter(new QueryClient())
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: ['/runtimes'] }) })
  return router
}

function Table() {
  const { stop: _, ...links } = useRowLinks()
  return (
    <div {...links}>
      <RowLink link={to.runtime('r 1')}>orders-1</RowLink>
    </div>
  )
}

function show() {
  const router = makeRoutes()
  const navigate = vi.spyOn(router, 'navigate').mockResolvedValue()
  const preload = vi.spyOn(router, 'preloadRoute').mockResolvedValue(undefined)
  render(
    <RouterContextProvider router={router}>
      <Table />
    </RouterContextProvider>,
  )
  return { navigate, preload, link: screen.getByRole('link', { name: 'orders-1' }) }
}

test.each([
  to.runtime('0191-af'),
  to.runtime('a/b ü$%?#'),
  to.project('orders'),
  to.integration('orders', 'create+send'),
])('the address of a row is the one that the router writes: $params', (link) => {
  expect(addressOf(link)).toBe(makeRoutes().buildLocation(link).publicHref)
})

test('a press follows the link within the page', () => {
  const { navigate, link } = show()
  const press = createEvent.click(link)
  fireEvent(link, press)
  expect(press.defaultPrevented).toBe(true)
  expect(navigate).toHaveBeenCalledWith(to.runtime('r 1'))
})

test.each([{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }, { altKey: true }, { button: 1 }])(
  'a press with %o is left to the browser, which opens a tab or a window',
  (how) => {
    const { navigate, link } = show()
    const press = createEvent.click(link, how)
    fireEvent(link, press)
    expect(press.defaultPrevented).toBe(false)
    expect(navigate).not.toHaveBeenCalled()
  },
)

test.each([
  ['pointed at', fireEvent.pointerOver],
  ['focused', fireEvent.focus],
  ['touched', fireEvent.touchStart],
] as const)('what a link leads to is loaded when it is %s', async (_how, mean) => {
  const { preload, link } = show()
  mean(link)
  await waitFor(() => expect(preload).toHaveBeenCalledWith(to.runtime('r 1')))
})

test('a link that the pointer only passes loads nothing', async () => {
  vi.useFakeTimers()
  const { preload, link } = show()
  fireEvent.pointerOver(link)
  fireEvent.pointerOver(document.body.firstElementChild?.firstElementChild ?? document.body)
  vi.advanceTimersByTime(1_000)
  vi.useRealTimers()
  expect(preload).not.toHaveBeenCalled()
})
