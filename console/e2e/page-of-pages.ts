import { PATH } from '../src/util/paths'
import { fileName, type Stop, TOUR } from './tour'

const LEAD = `# The console, page by page

Every page that there is, in both themes, as it looks with the demo's data.
Every state of a page is in its address: filters, order, the time that is looked at, what is open. A link shows the same to whoever may see it.

The demo has the whole console without a control plane; nothing in it is real: \`make demo\`.
`

const section = (name: string, { title, answers }: Stop) => {
  const picture = (theme: string) =>
    `\`\`\`{image} ../images/pages/${fileName(name)}-${theme}.png\n:alt: ${title}\n:class: only-${theme}\n\`\`\``
  return `## ${title}\n\n\`${PATH[name as keyof typeof PATH]}\`: ${answers}\n\n${picture('light')}\n${picture('dark')}\n`
}

/** The page of the documentation that shows every page of the console. */
export const pageOfPages = () => [LEAD, ...Object.entries(TOUR).map(([name, stop]) => section(name, stop))].join('\n')
