/** Everything that is held against everything else when a run is over, and the figures of it. */
import type { Knex } from 'knex'
import { audit } from '../../ledger/index.ts'
import { type Disagreement, disagreements, readBankLog } from './agree.ts'
import type { Counts } from './asking.ts'
import { processesOf } from './harm.ts'
import { readJournal } from './journal.ts'
import {
  type Finding,
  intentsOf,
  judgeAnswers,
  judgeEffects,
  type Intents,
  readEffects,
} from './told.ts'
import { BANKS, type Town } from './town.ts'
import type { Watched } from './watch.ts'

export interface Figures {
  readonly operations: number
  readonly acknowledged: number
  readonly refused: number
  readonly refused_by: Readonly<Record<string, number>>
  readonly in_doubt: number
  /** Of those requests, how many had been done all the same. */
  readonly in_doubt_done: number
  /** How many requests had no answer at first, and how long it took until they had. */
  readonly unknown: number
  readonly unknown_ms_p50: number
  readonly unknown_ms_p99: number
  readonly unknown_ms_max: number
  /** Asked again on purpose, to compare the answers. */
  readonly repeated: number
  /** How often the books were audited, while all went wrong and in the end. */
  readonly checks: number
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
  /** Keys under which there was more than one answer. */
  readonly told_otherwise: number
  readonly unknown_to_us: number
  readonly paid_twice: number
  readonly refunded_but_paid: number
  readonly settled_never_paid: number
  readonly violations: readonly string[]
  readonly deadlocks: number
}

/** How long each start took that was not the first: of our processes, and of Postgres. */
function restartsOf(town: Town): Readonly<Record<string, readonly number[]>> {
  const kept = [...processesOf(town), { name: 'Postgres', starts: town.postgres.starts }]
  return Object.fromEntries(kept.map(({ name, starts }) => [name, starts().slice(1)]))
}

interface Run {
  readonly db: Knex
  readonly town: Town
  readonly counts: Counts
  readonly journalFile: string
}

/** What was done and seen while it ran. */
type Did = Pick<Figures, 'harmed' | 'decided_by_hand' | 'jobs_deleted'> & Watched

export async function judge(run: Run, did: Did): Promise<Figures> {
  const { db, town, counts, journalFile } = run
  const found: Disagreement[] = []
  for (const bank of BANKS) {
    found.push(...(await disagreements(db, bank, readBankLog(town.journalOf(bank)))))
  }
  const intents = intentsOf(readJournal(journalFile))
  const told = [...judgeEffects(intents, await readEffects(db)), ...judgeAnswers(intents)]
  const toldOf = (...what: Finding['what'][]) =>
    told.filter((one) => what.includes(one.what)).length
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
      in_doubt_done: counts.inDoubtDone,
      repeated: counts.repeated,
    },
    ...doubtsOf(intents),
    instructions: Object.fromEntries(states.map(({ state, count }) => [state, Number(count)])),
    ...{ harmed: did.harmed, decided_by_hand: did.decided_by_hand },
    ...{ jobs_deleted: did.jobs_deleted, faults: town.faults(), checks: did.checks + 1 },
    restarts: recoveries.length,
    restarts_of: Object.fromEntries(
      Object.entries(restarts).map(([name, times]) => [name, times.length]),
    ),
    ...{ recovery_ms_p50: at(0.5), recovery_ms_p99: at(0.99) },
    lost: toldOf('lost', 'changed'),
    duplicated: toldOf('duplicated', 'invented'),
    told_otherwise: toldOf('told_otherwise'),
    unknown_to_us: of('unknown_to_us'),
    paid_twice: of('paid_twice'),
    refunded_but_paid: of('refunded_but_paid'),
    settled_never_paid: of('settled_never_paid'),
    violations: [
      ...did.seen,
      ...violations.map(({ invariant, subject }) => `${invariant}: ${subject}`),
      ...[...found, ...told].map(({ what, where }) => `${what}: ${where}`),
    ],
    deadlocks: await deadlocksOf(db),
  }
}

function doubtsOf(intents: Intents) {
  const doubts = [...intents.values()]
    .flatMap(({ answers }) => answers.slice(0, 1).map(({ doubt_ms }) => doubt_ms))
    .filter((doubt_ms) => doubt_ms > 0)
    .sort((a, b) => a - b)
  const at = (share: number) => doubts[Math.floor(doubts.length * share)] ?? 0
  return {
    ...{ unknown: doubts.length, unknown_ms_p50: at(0.5), unknown_ms_p99: at(0.99) },
    unknown_ms_max: doubts.at(-1) ?? 0,
  }
}

async function deadlocksOf(db: Knex): Promise<number> {
  const { rows } = await db.raw(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(rows[0].deadlocks)
}
