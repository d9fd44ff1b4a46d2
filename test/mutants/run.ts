/**
 * `npm run mutants`: makes each of the mistakes of mutants.ts in a copy of the source, runs the
 * tests that must notice, and ends with 1 unless every one of them is noticed.
 *
 * The product itself holds no switch that could be left on: a mistake exists only in a folder that
 * is thrown away. `--only NAME,NAME` makes some of them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../support/source.ts'
import { type Mutant, mutated, MUTANTS } from './mutants.ts'

/** What tests read of the repository. */
const COPIED = [
  ...['services', 'ledger', 'adapters', 'test', 'docs', 'package.json', 'package-lock.json'],
  ...['tsconfig.json', 'README.md', 'docker-compose.yml'],
]

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const chosen = MUTANTS.filter(({ name }) => values.only?.split(',').includes(name) ?? true)
const say = (line: string) => void process.stdout.write(`${line}\n`)

/** A folder like this one, with packages of its own to keep what is built of them apart. */
async function copyOfSource(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-mutants-'))
  await Promise.all(COPIED.map((path) => cp(ROOT + path, join(folder, path), { recursive: true })))
  const packages = join(folder, 'node_modules')
  await mkdir(packages)
  const names = (await readdir(`${ROOT}node_modules`)).filter((name) => name !== '.cache')
  const link = (name: string) => symlink(`${ROOT}node_modules/${name}`, join(packages, name))
  await Promise.all(names.map(link))
  return folder
}

/** @returns the test that failed; undefined when all pass. */
async function failureOf(
  folder: string,
  test: string,
  only: readonly string[] = [],
): Promise<string | undefined> {
  const options = ['--bail', '--reporter', 'json', ...only, test]
  const child = spawn('node_modules/.bin/mocha', options, {
    ...{ cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  }
  const [code] = await once(child, 'close')
  if (code === 0) return undefined
  const title = /"failures": \[\s*\{[^]*?"fullTitle": "(.*)"/.exec(said)?.[1]
  // What does not even start proves nothing about the tests.
  if (title === undefined) throw new Error(`${test} ended with ${code}:\n${said.slice(-2_000)}`)
  return JSON.parse(`"${title}"`) as string
}

/** @returns which test failed of which file; undefined when nobody has noticed. */
async function killerOf(folder: string, mutant: Mutant) {
  const path = join(folder, mutant.file)
  const source = await readFile(path, 'utf8')
  await writeFile(path, mutated(source, mutant))
  try {
    for (const test of mutant.tests) {
      const title = await failureOf(folder, test)
      if (title !== undefined) return { test, title }
    }
    return undefined
  } finally {
    await writeFile(path, source)
  }
}

/** A test that fails without the mistake too has noticed nothing. */
async function verdictOn(folder: string, mutant: Mutant): Promise<{ killed: boolean; by: string }> {
  const killer = await killerOf(folder, mutant)
  if (killer === undefined) return { killed: false, by: 'nobody' }
  const { test, title } = killer
  const anyway = await failureOf(folder, test, ['--fgrep', title])
  const by = `${test}: ${title}`
  return { killed: anyway === undefined, by: anyway === undefined ? by : `${by} (fails anyway)` }
}

const folder = await copyOfSource()
let killed = 0
try {
  for (const mutant of chosen) {
    const verdict = await verdictOn(folder, mutant)
    if (verdict.killed) killed += 1
    say(`${verdict.killed ? 'killed  ' : 'SURVIVED'}  ${mutant.name}  by ${verdict.by}`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
say(`mutants: ${killed} of ${chosen.length} killed`)
process.exit(killed === chosen.length && chosen.length > 0 ? 0 : 1)
