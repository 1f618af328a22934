import { PASSWORD } from './auth'

/** What stands below every page of the demo, so that nobody takes it for a control plane. */
export const NOTE = {
  name: 'About this demo',
  title: 'Demo data.',
  text: `Nothing here is real, and a reload begins anew. Sign in as admin, dora or vera; the password is ${PASSWORD}.`,
  close: 'Hide',
}

const STYLE = `position:sticky;bottom:0;z-index:40;display:flex;gap:12px;align-items:baseline;justify-content:center;
padding:6px 12px;font:500 13px/1.4 'Inter Variable',system-ui,sans-serif;background:#16324f;color:#fff`
const BUTTON = 'font:inherit;color:inherit;text-decoration:underline;background:none;border:0;cursor:pointer'

/** Says plainly what this is; it lies outside of what the console itself draws. */
export function showNote(): void {
  const note = document.createElement('aside')
  note.setAttribute('aria-label', NOTE.name)
  note.style.cssText = STYLE
  const text = document.createElement('p')
  const strong = document.createElement('strong')
  strong.textContent = NOTE.title
  text.append(strong, ` ${NOTE.text}`)
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = NOTE.close
  button.style.cssText = BUTTON
  button.addEventListener('click', () => note.remove())
  note.append(text, button)
  document.body.append(note)
}
