/** The files that are written from the source, so that none of them can go stale. */
import { readFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { BEHAVIOURS, MAGIC_ACCOUNTS } from '../../adapters/sandbox/behaviours.ts'
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
    ['docs/sandbox-bank.md', await formatted(sandboxBankPage())],
    ['.env.example', environmentExample(textOf('.env.example'))],
  ])
}

/** Everything that the sandbox bank does on request. */
function sandboxBankPage(): string {
  const amounts = Object.values(BEHAVIOURS).flatMap(({ digits, sentence }) =>
    digits === undefined ? [] : [`| ${digits} | ${sentence} |`],
  )
  const accounts = MAGIC_ACCOUNTS.map(({ suffix, sentence }) => `| \`-${suffix}\` | ${sentence} |`)
  return [
    '# What the sandbox bank does on request',
    '',
    'Written from the source by `npm run docs`. `GET /books` of a sandbox bank says the same.',
    '',
    'The last two digits of an amount, from 100 minor units upwards; smaller amounts always work:',
    '',
    '| ends in | the bank |',
    '| --- | --- |',
    ...amounts,
    '',
    'The end of an account number:',
    '',
    '| ends in | the bank |',
    '| --- | --- |',
    ...accounts,
    '',
    'And by a call, without a signature:',
    '',
    '| call | the bank |',
    '| --- | --- |',
    '| `POST /clock {"advance_s": "259200"}` | Lets three days pass at once for whatever ' +
      'waits. Its stamps stay those of the real clock. |',
    '| `POST /incoming {"reference", "number", "amount", "currency", "remittance"}` | A customer ' +
      'pays us without being asked. |',
    '',
  ].join('\n')
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
