/**
 * `npm run torture`: the real processes, with everything around them going wrong, and then the
 * question whether anything was lost, done twice or invented. One seed says what goes wrong; it is
 * printed first and last.
 *
 * `--scenario banks` (banks that misbehave, processes that die; `--minutes N` is how long things go
 * wrong) or `--scenario input` (`--requests N` that nobody should send). `--seed N` repeats a run's
 * faults; `--redis` keeps rings in Redis, which dies too; `--quick` takes half a minute; `--json`
 * adds one object on the last line. Ends with 1 unless every zero is zero.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { machineWith } from '../bench/machine.ts'
import { tortureBanks } from './banks.ts'
import { tortureInput } from './input/scenario.ts'
import type { Figures } from './judge.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: 'banks' },
    seed: { type: 'string' },
    requests: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    redis: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const say = (line: string) => void process.stdout.write(`${line}\n`)
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
const chaos_s = values.quick ? 25 : Number(values.minutes) * 60
if (!Number.isSafeInteger(seed) || !(chaos_s > 0)) {
  throw new Error('--seed and --minutes are numbers')
}

/** What must not happen, ever. */
const ZEROS = [
  'lost',
  'duplicated',
  'told_otherwise',
  'unknown_to_us',
  'paid_twice',
  'refunded_but_paid',
  'settled_never_paid',
] as const

const isClean = (figures: Figures) =>
  ZEROS.every((name) => figures[name] === 0) &&
  figures.violations.length === 0 &&
  figures.deadlocks === 0

const requests = Number(values.requests ?? (values.quick ? 3_000 : 100_000))
if (!(requests >= 1)) throw new Error('--requests is a number')

interface Ran {
  readonly clean: boolean
  readonly shown: object
  readonly json: object
}

async function banks(): Promise<Ran> {
  const figures = await tortureBanks({
    ...{
      seed,
      chaos_s,
      say,
      people: 16,
      faults: 0.2,
      hasRedis: values.redis,
      killEvery_s: values.quick ? 3 : 10,
    },
  })
  const { violations, ...counted } = figures
  const json = { ...counted, violations: violations.length }
  return { clean: isClean(figures), shown: figures, json }
}

async function input(): Promise<Ran> {
  const figures = await tortureInput({ seed, requests, say })
  const { byOperation: _, ...json } = figures
  return { clean: figures.offences === 0, shown: figures, json }
}

const SCENARIOS: Readonly<Record<string, () => Promise<Ran>>> = { banks, input }
const scenario = SCENARIOS[values.scenario]
if (scenario === undefined) throw new Error(`--scenario is ${Object.keys(SCENARIOS).join(' or ')}`)

say(`torture: seed ${seed}, commit ${machineWith('embedded').commit}, Node ${process.version}`)
const started = performance.now()
const { clean, shown, json } = await scenario()
const took_s = Math.round((performance.now() - started) / 1000)
for (const [name, value] of Object.entries(shown)) say(`  ${name}: ${JSON.stringify(value)}`)
say(`torture: seed ${seed}, ${took_s} s: ${clean ? 'clean' : 'NOT CLEAN'}`)
if (values.json) say(JSON.stringify({ seed, took_s, ...json }))
process.exit(clean ? 0 : 1)
