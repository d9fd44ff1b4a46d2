/** The files that are written from the source, so that none of them can go stale. */
import { readFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { securityPage } from './abuse-cases.ts'
import { environmentLines, settingsPage } from './settings.ts'
import { ROOT } from './source.ts'

const BEGIN = '# --- Settings with a default'
const END = '# --- A sandbox'

/** Paths from the root, each with what must be in the file. */
export async function documents(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/settings.md', await formatted(settingsPage())],
    ['docs/security.md', await formatted(securityPage(textOf('docs/security.md')))],
    ['.env.example', environmentExample(textOf('.env.example'))],
  ])
}

const textOf = (path: string) => readFileSync(ROOT + path, 'utf8')

const formatted = async (text: string) =>
  format(text, { ...(await resolveConfig(`${ROOT}package.json`)), parser: 'markdown' })

/** What is written by hand stays as it is; between the two headings is what the source says. */
function environmentExample(text: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error('.env.example has lost its headings')
  const heading = text.slice(begin, text.indexOf('\n', begin))
  return `${text.slice(0, begin)}${heading}\n\n${environmentLines()}\n\n${text.slice(end)}`
}
