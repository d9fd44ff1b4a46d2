/**
 * `npm run bench`: how fast this is, on this machine, in one run. `--quick` stays under a minute,
 * `--only=ledger,growth` measures some parts, `--json` adds one line for scripts. Fails when the
 * books are wrong or Postgres had to break a deadlock, not when a goal is missed.
 */
import { parseArgs } from 'node:util'
import { together } from './books.ts'
import { openMeter } from './counters.ts'
import { measureFeatures } from './features.ts'
import { measureGrowth } from './growth.ts'
import { measureHttp } from './http.ts'
import { measureLatency } from './latency.ts'
import { measureLedger } from './ledger.ts'
import { measureLimit } from './limit.ts'
import { machineWith } from './machine.ts'
import { type Bench, FULL, QUICK } from './plan.ts'
import { measureProcesses } from './processes.ts'
import type { Figures } from './figures.ts'
import { jsonOf, tableOf } from './report.ts'
import { type BenchServer, openBenchServer } from './server.ts'
import { measureSettlement } from './settlement.ts'

/** In the order in which they are measured. */
const PARTS = {
  ledger: measureLedger,
  latency: measureLatency,
  processes: measureProcesses,
  features: measureFeatures,
  growth: measureGrowth,
  limit: measureLimit,
  settlement: measureSettlement,
  http: measureHttp,
} as const

type Part = keyof typeof PARTS

const ALL = Object.keys(PARTS) as Part[]
const IN_A_MINUTE: readonly Part[] = ['ledger', 'http']

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})

function partsToMeasure(): readonly Part[] {
  if (flags.only === undefined) return flags.quick ? IN_A_MINUTE : ALL
  const named = flags.only.split(',')
  const unknown = named.filter((name) => !(name in PARTS))
  if (unknown.length === 0) return ALL.filter((part) => named.includes(part))
  process.stderr.write(`--only takes ${ALL.join(', ')}; not ${unknown.join(', ')}\n`)
  return process.exit(2)
}

const started = performance.now()

function say(line: string): void {
  const elapsed_s = Math.round((performance.now() - started) / 1000)
  process.stderr.write(`${`${elapsed_s}`.padStart(4)} s  ${line}\n`)
}

async function measure(server: BenchServer, parts: readonly Part[]) {
  const meter = await openMeter(server)
  const bench: Bench = { server, meter, say, plan: flags.quick ? QUICK : FULL }
  const measured = []
  for (const part of parts) measured.push(await PARTS[part](bench))
  await meter.close()
  const { faults, deadlocks } = together(measured)
  const figures: Figures = Object.assign(
    { machine: machineWith(server.version), quick: flags.quick, deadlocks },
    ...measured.map(({ figures }) => figures),
  )
  return { figures, faults, deadlocks }
}

const parts = partsToMeasure()
say('a durable Postgres, migrated')
const server = await openBenchServer()
let stopped: Promise<void> | undefined
const stop = () => (stopped ??= server.stop())
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(1)))
}

try {
  const { figures, faults, deadlocks } = await measure(server, parts)
  process.stdout.write(`\n${tableOf(figures)}\n\n`)
  for (const fault of faults) process.stderr.write(`THE BOOKS ARE WRONG: ${fault}\n`)
  if (deadlocks > 0) process.stderr.write(`POSTGRES BROKE ${deadlocks} DEADLOCKS\n`)
  if (faults.length > 0 || deadlocks > 0) process.exitCode = 1
  if (flags.json) process.stdout.write(`${jsonOf(figures)}\n`)
} finally {
  await stop()
}
