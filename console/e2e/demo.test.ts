import { expect } from 'vitest'
import { NOTE } from '../mock/note'
import { stories } from './story'

stories('The demo', (story) => {
  story(
    'says plainly that its data is made up and how one signs in, is alive, and the note can be hidden',
    async ({ page, complaints }) => {
      await page.addInitScript(() => {
        globalThis.mockQuiet = false
      })
      await page.goto('/')
      const note = page.getByRole('complementary', { name: NOTE.name })
      await note.getByText('Demo data.').waitFor()
      const [, user, password] = /as (\w+),.*password is (\w+)/.exec(NOTE.text) ?? []
      await page.getByLabel('Username').fill(user ?? '')
      await page.getByLabel('Password', { exact: true }).fill(password ?? '')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'What is not well' }).waitFor()
      await note.getByText('Nothing here is real').waitFor()
      const before = await page.evaluate(() => document.documentElement.scrollWidth)
      expect(before).toBeLessThanOrEqual(1440)
      await note.getByRole('button', { name: NOTE.close }).click()
      expect(await note.count()).toBe(0)
      complaints.splice(0)
    },
    { signedIn: false, timeoutMs: 60_000 },
  )
})
