/**
 * Banks that misbehave and workers that die: people top up, pay and withdraw while every fifth
 * answer of a bank goes wrong and a worker is killed every few seconds. In the end, when all is
 * quiet, the banks' own logs, our instructions and our books must agree to the cent.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { audit, connect } from '../../ledger/index.ts'
import {
  type Disagreement,
  disagreements,
  readBankLog,
  readClientLog,
  unaccounted,
} from './agree.ts'
import { type Counts, openAsking } from './asking.ts'
import { randomOf } from '../support/random.ts'
import { arrive, live } from './customers.ts'
import { decideByBankLog } from './desk.ts'
import { doHarm, forgetJobs, processesOf } from './harm.ts'
import { BANKS, openTown, type Town } from './town.ts'

export interface Plan {
  readonly seed: number
  /** How long things go wrong. */
  readonly chaos_s: number
  readonly people: number
  readonly killEvery_s: number
  /** The share of a bank's answers that go wrong. */
  readonly faults: number
  readonly hasRedis: boolean
  readonly say: (line: string) => void
}

export interface Figures {
  readonly operations: number
  readonly acknowledged: number
  readonly refused: number
  readonly refused_by: Readonly<Record<string, number>>
  readonly in_doubt: number
  readonly instructions: Readonly<Record<string, number>>
  /** Decided by an operator, from the bank's own log. */
  readonly decided_by_hand: number
  readonly jobs_deleted: number
  readonly faults: Readonly<Record<string, number>>
  /** What was done on purpose, and how often. */
  readonly harmed: Readonly<Record<string, number>>
  readonly restarts: number
  readonly restarts_of: Readonly<Record<string, number>>
  readonly recovery_ms_p50: number
  readonly recovery_ms_p99: number
  readonly lost: number
  readonly duplicated: number
  readonly unknown_to_us: number
  readonly paid_twice: number
  readonly refunded_but_paid: number
  readonly settled_never_paid: number
  readonly violations: readonly string[]
  readonly deadlocks: number
}

/** How long after the chaos everything may take to become final: the longest backoff, twice. */
const DRAIN_MAX_S = 300

export async function tortureBanks(plan: Plan): Promise<Figures> {
  const { seed, people, faults, hasRedis, say } = plan
  say(`banks: ${people} people, ${faults * 100} % faults, a kill every ${plan.killEvery_s} s`)
  const town = await openTown({ seed, faults, hasRedis, isRough: true })
  say(`clock: ${town.apis.some(({ clock }) => clock) ? 'jumps, by libfaketime' : 'not installed'}`)
  say(`doorbell: ${hasRedis ? 'Redis' : 'Postgres'}`)
  const db = connect({ url: town.url, connectionsMax: 4, applicationName: 'torture' })
  try {
    const { ask, counts } = openAsking(town, clientLog(town))
    const random = randomOf(seed)
    const customers = await Promise.all(
      Array.from({ length: people }, (_, index) => arrive(ask, index)),
    )
    const until = performance.now() + plan.chaos_s * 1000
    const isOver = () => performance.now() > until
    const longest_s = Math.min(STILL_MAX_S, plan.chaos_s / 4)
    const harm = { random, isOver, say, every_s: plan.killEvery_s, longest_s }
    const harming = doHarm(town, harm)
    const forgetting = forgetJobs(db, harm)
    await Promise.all(
      customers.map((one, index) =>
        live(ask, one, people, { random: randomOf(seed + 1 + index), isOver }),
      ),
    )
    const harmed = await harming
    const jobs_deleted = await forgetting
    town.calm()
    say('banks: calm now; waiting until nothing is open')
    await drained(db)
    const byHand = await decideByBankLog(db, town, ask)
    await drained(db)
    return await judge(db, town, counts, { harmed, decided_by_hand: byHand, jobs_deleted })
  } catch (error) {
    for (const one of processesOf(town)) say(`${one.name}:\n${one.lastWords()}`)
    throw error
  } finally {
    await db.destroy()
    await town.close()
  }
}

const clientLog = ({ folder }: Town) => join(folder, 'client.jsonl')

/** Longer than any lease of a job or of an instruction here. */
const STILL_MAX_S = 40

/** How long each start took that was not the first: of our processes, and of Postgres. */
function restartsOf(town: Town): Readonly<Record<string, readonly number[]>> {
  const kept = [...processesOf(town), { name: 'Postgres', starts: town.postgres.starts }]
  return Object.fromEntries(kept.map(({ name, starts }) => [name, starts().slice(1)]))
}

const OPEN = ['created', 'sent', 'unknown']

const SHOWN_MAX = 5
const textOfBig = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)

async function drained(db: Knex): Promise<void> {
  const deadline = performance.now() + DRAIN_MAX_S * 1000
  for (;;) {
    const open = await db('instructions').whereIn('state', OPEN).limit(SHOWN_MAX)
    const waiting = await db('callbacks').where({ disposition: 'received' }).limit(SHOWN_MAX)
    if (open.length === 0 && waiting.length === 0) return
    if (performance.now() > deadline) {
      const shown = [...open, ...waiting].map((row) => JSON.stringify(row, textOfBig)).join('\n')
      throw new Error(`not final after ${DRAIN_MAX_S} s:\n${shown}`)
    }
    await sleep(500)
  }
}

async function judge(
  db: Knex,
  town: Town,
  counts: Counts,
  did: Pick<Figures, 'harmed' | 'decided_by_hand' | 'jobs_deleted'>,
): Promise<Figures> {
  const found: Disagreement[] = []
  for (const bank of BANKS) {
    found.push(...(await disagreements(db, bank, readBankLog(town.journalOf(bank)))))
  }
  const told = await unaccounted(db, readClientLog(clientLog(town)))
  const { violations } = await audit(db)
  const of = (what: Disagreement['what']) => found.filter((one) => one.what === what).length
  const states: { readonly state: string; readonly count: string }[] = await db('instructions')
    .select('state')
    .count({ count: '*' })
    .groupBy('state')
  const restarts = restartsOf(town)
  const recoveries = Object.values(restarts)
    .flat()
    .sort((a, b) => a - b)
  const at = (share: number) => Math.round(recoveries[Math.floor(recoveries.length * share)] ?? 0)
  return {
    operations: counts.sent,
    ...{
      acknowledged: counts.acknowledged,
      refused: counts.refused,
      refused_by: counts.codes,
      in_doubt: counts.inDoubt,
    },
    instructions: Object.fromEntries(states.map(({ state, count }) => [state, Number(count)])),
    ...{ ...did, faults: town.faults() },
    restarts: recoveries.length,
    restarts_of: Object.fromEntries(
      Object.entries(restarts).map(([name, times]) => [name, times.length]),
    ),
    ...{ recovery_ms_p50: at(0.5), recovery_ms_p99: at(0.99) },
    ...told,
    unknown_to_us: of('unknown_to_us'),
    paid_twice: of('paid_twice'),
    refunded_but_paid: of('refunded_but_paid'),
    settled_never_paid: of('settled_never_paid'),
    violations: [
      ...violations.map(({ invariant, subject }) => `${invariant}: ${subject}`),
      ...found.map(({ what, where }) => `${what}: ${where}`),
    ],
    deadlocks: await deadlocksOf(db),
  }
}

async function deadlocksOf(db: Knex): Promise<number> {
  const { rows } = await db.raw(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(rows[0].deadlocks)
}
