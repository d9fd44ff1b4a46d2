/**
 * `npm run bench`: how fast this is, on this machine, in one run. `--quick` stays under a minute,
 * `--json` adds one line for scripts. Fails when the books are wrong, not when a goal is missed.
 */
import { parseArgs } from 'node:util'
import { measureHttp } from './http.ts'
import { measureGrowth, measureLedger } from './ledger.ts'
import { type Figures, jsonOf, machineWith, tableOf } from './report.ts'
import { type BenchServer, openBenchServer } from './server.ts'

const FULL = {
  ledger: { rounds: 11, round_s: 2, warmUp_s: 3 },
  http: { seconds: 10, warmUp_s: 5 },
}
const QUICK = {
  ledger: { rounds: 5, round_s: 0.8, warmUp_s: 1 },
  http: { seconds: 3, warmUp_s: 3 },
}

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
})

const started = performance.now()

function say(line: string): void {
  const elapsed_s = Math.round((performance.now() - started) / 1000)
  process.stderr.write(`${`${elapsed_s}`.padStart(4)} s  ${line}\n`)
}

async function measure(server: BenchServer): Promise<{ figures: Figures; faults: string[] }> {
  const plan = flags.quick ? QUICK : FULL
  const ledger = await measureLedger(server, plan.ledger, say)
  const http = await measureHttp(server, plan.http, say)
  const growth = flags.quick ? undefined : await measureGrowth(server, plan.ledger, say)
  const parts = [ledger, http, ...(growth === undefined ? [] : [growth])]
  const figures = {
    ...{ machine: machineWith(server.version), ledger: ledger.figures, ...http.figures },
    ...(growth !== undefined && { growth: growth.figures }),
    ...{ deadlocks: parts.reduce((sum, { deadlocks }) => sum + deadlocks, 0), quick: flags.quick },
  }
  return { figures, faults: parts.flatMap(({ faults }) => faults) }
}

say('a durable Postgres, migrated')
const server = await openBenchServer()
let stopped: Promise<void> | undefined
const stop = () => (stopped ??= server.stop())
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(1)))
}

try {
  const { figures, faults } = await measure(server)
  process.stdout.write(`\n${tableOf(figures)}\n\n`)
  for (const fault of faults) process.stderr.write(`THE BOOKS ARE WRONG: ${fault}\n`)
  if (faults.length > 0) process.exitCode = 1
  if (flags.json) process.stdout.write(`${jsonOf(figures)}\n`)
} finally {
  await stop()
}
