/**
 * `npm run mutants`: makes each of the mistakes of mutants.ts in a copy of the source, runs the
 * tests that must notice, and ends with 1 unless every one of them is noticed: by a test that fails
 * with it, not for want of time alone, and passes without it.
 *
 * The product itself holds no switch that could be left on: a mistake exists only in a folder that
 * is thrown away. `--only NAME,NAME` makes some of them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../support/source.ts'
import { type Mutant, mutated, MUTANTS } from './mutants.ts'
import { controlOf, isNoticed, outcomeOf, type Tried, type Verdict, verdictOn } from './verdict.ts'

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

/** Written by mocha itself: what tests say for themselves is no part of it. */
const REPORT = 'mocha-report.json'

/** @throws {Error} where it does not even start: that proves nothing about the tests. */
async function outcomeIn(folder: string, test: string, only: readonly string[] = []) {
  const report = join(folder, REPORT)
  await rm(report, { force: true })
  const how = ['--bail', '--reporter', 'json', '--reporter-option', `output=${REPORT}`]
  const child = spawn('node_modules/.bin/mocha', [...how, ...only, test], {
    ...{ cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said += text))
  }
  const [code] = await once(child, 'close')
  if (existsSync(report)) return outcomeOf(code, JSON.parse(await readFile(report, 'utf8')))
  throw new Error(`${test} ended with ${code}:\n${said.slice(-2_000)}`)
}

async function withMistake<T>(folder: string, mutant: Mutant, work: () => Promise<T>): Promise<T> {
  const path = join(folder, mutant.file)
  const source = await readFile(path, 'utf8')
  await writeFile(path, mutated(source, mutant))
  try {
    return await work()
  } finally {
    await writeFile(path, source)
  }
}

/** A test that fails without the mistake too has noticed nothing; then the next one is asked. */
async function tryOn(folder: string, mutant: Mutant): Promise<Verdict> {
  const tried: Tried[] = []
  for (const test of mutant.tests) {
    const outcome = await withMistake(folder, mutant, () => outcomeIn(folder, test))
    const one = { test, mutated: outcome }
    const isAsked = outcome.is === 'failed' && isNoticed(outcome)
    const control = isAsked && (await outcomeIn(folder, test, controlOf(outcome.title)))
    tried.push(control ? { ...one, control } : one)
    const verdict = verdictOn(tried)
    if (verdict.is === 'killed') return verdict
  }
  return verdictOn(tried)
}

const folder = await copyOfSource()
let killed = 0
try {
  for (const mutant of chosen) {
    const verdict = await tryOn(folder, mutant)
    if (verdict.is === 'killed') killed += 1
    say(`${verdict.is.padEnd('SURVIVED'.length)}  ${mutant.name}  by ${verdict.by}`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
say(`mutants: ${killed} of ${chosen.length} killed`)
process.exit(killed === chosen.length && chosen.length > 0 ? 0 : 1)
