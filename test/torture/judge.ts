/** Everything that is held against everything else when a run is over, and the figures of it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Knex } from 'knex'
import {
  judgeBank,
  type Received,
  readBalances,
  readBank,
  readBankLog,
  settledBy,
} from './agree.ts'
import type { Counts } from './asking.ts'
import { numberOf, PIN } from './customers.ts'
import { hasClocks, processesOf } from './harm.ts'
import { judgeEvents, readEvents } from './heard.ts'
import type { Hooks } from './hooks.ts'
import type { Entry } from './journal.ts'
import { balancesOf, judgeBalances } from './model.ts'
import { judgeSecrets, LOG } from './secrets.ts'
import { numberOfShop, SHOPS } from './shops.ts'
import { brokenIn, untried } from './tried.ts'
import { intentsOf, judgeAnswers, judgeEffects, type Intents, readEffects } from './told.ts'
import { BANKS, type Town } from './town.ts'
import { SENDER } from './unasked.ts'
import type { Watched } from './watch.ts'

/** What a judge has found: of which kind, and where. */
interface Found {
  readonly what: string
  readonly where: string
}

/** What must not happen, ever; each is the number of findings of some kinds. */
const ZEROS = {
  lost: ['lost', 'changed', 'incoming_lost'],
  duplicated: ['duplicated', 'invented', 'incoming_invented'],
  told_otherwise: ['told_otherwise'],
  unknown_to_us: ['unknown_to_us'],
  paid_twice: ['paid_twice'],
  refunded_but_paid: ['refunded_but_paid'],
  settled_never_paid: ['settled_never_paid'],
  balances_wrong: ['balance', 'sum'],
  events_lost: ['event_lost', 'event_changed'],
  events_invented: ['event_invented', 'event_unsigned'],
  secrets_seen: ['secret_seen'],
  broken: ['broken'],
  untried: ['untried'],
} as const satisfies Readonly<Record<string, readonly string[]>>

type Zeros = { readonly [Name in keyof typeof ZEROS]: number }

export interface Figures extends Zeros {
  readonly operations: number
  readonly acknowledged: number
  readonly refused: number
  readonly refused_by: Readonly<Record<string, number>>
  readonly in_doubt: number
  /** What was answered instead, by status. */
  readonly in_doubt_by: Readonly<Record<string, number>>
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
  readonly invariants: number
  readonly instructions: Readonly<Record<string, number>>
  /** What the banks did for us, by what was asked and what came of it. */
  readonly outcomes: Readonly<Record<string, number>>
  /** How often somebody paid in without being asked. */
  readonly unasked: number
  /** Decided by an operator, from the bank's own log. */
  readonly decided_by_hand: number
  /** Sent back by a bank of which the only word of that was lost: decided by its statement. */
  readonly returned_by_hand: number
  readonly jobs_deleted: number
  /** Messages that came to merchants, copies included, and how many events they were told of. */
  readonly webhooks: number
  readonly events: number
  /** Accounts that were held against the model. */
  readonly balances: number
  readonly faults: Readonly<Record<string, number>>
  /** What was done on purpose, and how often. */
  readonly harmed: Readonly<Record<string, number>>
  readonly restarts: number
  readonly restarts_of: Readonly<Record<string, number>>
  readonly recovery_ms_p50: number
  readonly recovery_ms_p99: number
  readonly violations: readonly string[]
  readonly deadlocks: number
}

export const isClean = (figures: Figures) =>
  Object.keys(ZEROS).every((name) => figures[name as keyof Zeros] === 0) &&
  figures.violations.length === 0 &&
  figures.deadlocks === 0

/** What there is to be judged. */
export interface Evidence {
  readonly db: Knex
  readonly town: Town
  readonly hooks: Hooks
  readonly counts: Counts
  readonly people: number
  readonly journal: readonly Entry[]
}

/** What was done and seen while it ran. */
type Did = Pick<Figures, 'harmed' | 'decided_by_hand' | 'returned_by_hand' | 'jobs_deleted'> &
  Watched & { readonly chaos_s: number }

export async function judge(evidence: Evidence, did: Did): Promise<Figures> {
  const { db, town, hooks, counts, journal } = evidence
  const intents = intentsOf(journal)
  const { seen, chaos_s, ...done } = did
  const { found: wrong, ...looked } = await findAll(evidence, intents)
  const instructions = await statesOf(db)
  const faults = { ...town.faults(), ...hooks.counts() }
  const possible = { clocks: hasClocks(town), redis: town.redis !== undefined }
  const tried = { chaos_s, intents, refused_by: counts.codes, faults, possible, ...done, ...looked }
  const found: Found[] = [
    ...wrong,
    ...brokenIn(processesOf(town), counts),
    ...untried({ ...tried, instructions: sumOf(Object.values(instructions)) }),
  ]
  return {
    operations: counts.sent,
    ...{ acknowledged: counts.acknowledged, refused: counts.refused, refused_by: counts.codes },
    ...{ in_doubt: counts.inDoubt, in_doubt_done: counts.inDoubtDone, repeated: counts.repeated },
    in_doubt_by: counts.doubts,
    ...doubtsOf(intents),
    ...{ instructions, ...done, ...looked },
    faults,
    ...recoveriesOf(town),
    ...countsOf(found),
    violations: [
      ...[...seen, ...found.map(({ what, where }) => `${what}: ${where}`)],
      ...victimsOf(town),
    ],
    deadlocks: deadlocksOf(town),
  }
}

async function findAll(evidence: Evidence, intents: Intents) {
  const { db, town, hooks } = evidence
  const found: Found[] = []
  const received: Received[] = []
  const [settled, outcomes] = [new Map<string, bigint>(), {} as Record<string, number>]
  for (const bank of BANKS) {
    const log = readBankLog(town.journalOf(bank))
    found.push(...judgeBank(await readBank(db, bank), log))
    for (const [id, moved] of await settledBy(db, bank, log)) {
      settled.set(id, (settled.get(id) ?? 0n) + moved)
    }
    received.push(...log.received)
    for (const [name, count] of Object.entries(log.outcomes)) {
      outcomes[name] = (outcomes[name] ?? 0) + count
    }
  }
  const [balances, happened] = [await readBalances(db), await readEvents(db)]
  found.push(
    ...judgeEffects(intents, await readEffects(db)),
    ...judgeAnswers(intents),
    ...judgeBalances(balancesOf(intents, settled, received), balances),
    ...judgeEvents(happened, hooks.arrivals, intents),
    ...(await judgeSecrets(db, town.folder, secretsOf(evidence))),
  )
  const counted = { webhooks: hooks.arrivals.length, events: happened.length, outcomes }
  const unasked = received.length
  return { found, unasked, ...counted, balances: balances.size }
}

/** A PIN, account numbers, secrets that sign, keys, and tokens as they were ever issued. */
function secretsOf({ town, hooks, people }: Evidence) {
  const numbers = [
    ...Array.from({ length: people }, (_, index) => numberOf(index)),
    ...[...Array.from({ length: SHOPS }, (_, index) => numberOfShop(index)), SENDER],
  ]
  return { texts: [...town.secrets(), ...hooks.secrets(), ...numbers], words: [PIN] }
}

function countsOf(found: readonly Found[]): Zeros {
  const counts = Object.entries(ZEROS).map(([name, kinds]: [string, readonly string[]]) => [
    name,
    found.filter(({ what }) => kinds.includes(what)).length,
  ])
  return Object.fromEntries(counts)
}

const sumOf = (counts: readonly number[]) => counts.reduce((sum, one) => sum + one, 0)

async function statesOf(db: Knex): Promise<Record<string, number>> {
  const states: { readonly state: string; readonly count: string }[] = await db('instructions')
    .select('state')
    .count({ count: '*' })
    .groupBy('state')
  return Object.fromEntries(states.map(({ state, count }) => [state, Number(count)]))
}

/** How long each start took that was not the first: of our processes, and of Postgres. */
function recoveriesOf(town: Town) {
  const kept = [...processesOf(town), { name: 'Postgres', starts: town.postgres.starts }]
  const restarts = kept.map(({ name, starts }) => [name, starts().slice(1)] as const)
  const all = restarts.flatMap(([, times]) => times)
  return {
    restarts: all.length,
    restarts_of: Object.fromEntries(restarts.map(([name, times]) => [name, times.length])),
    ...{ recovery_ms_p50: quantile(all, 0.5), recovery_ms_p99: quantile(all, 0.99) },
  }
}

function doubtsOf(intents: Intents) {
  const doubts = [...intents.values()]
    .flatMap(({ answers }) => answers.slice(0, 1).map(({ doubt_ms }) => doubt_ms))
    .filter((doubt_ms) => doubt_ms > 0)
  return {
    unknown: doubts.length,
    ...{ unknown_ms_p50: quantile(doubts, 0.5), unknown_ms_p99: quantile(doubts, 0.99) },
    unknown_ms_max: quantile(doubts, 1),
  }
}

/** Of milliseconds, rounded; 0 where there are none. */
export function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  const at = Math.min(sorted.length - 1, Math.floor(sorted.length * share))
  return Math.round(sorted[at] ?? 0)
}

/** By the log: Postgres forgets what it has counted when one of its processes is killed. */
function deadlocksOf({ folder }: Town): number {
  const log = logsIn(folder, (name) => name.startsWith(POSTGRES_LOG))
    .map(({ text }) => text)
    .join('')
  if (!log.includes('ready to accept')) throw new Error('there is no log of Postgres to look at')
  return log.split('deadlock detected').length - 1
}

/** Who heard of a deadlock, and in what; others may have tried again without a word. */
const victimsOf = ({ folder }: Town): string[] =>
  logsIn(folder, (name) => !name.startsWith(POSTGRES_LOG)).flatMap(({ name, text }) =>
    text
      .split('\n')
      .filter((line) => line.includes('"40P01"'))
      .map((line) => `deadlock: ${name}: ${line}`),
  )

const POSTGRES_LOG = 'postgres.log'

const logsIn = (folder: string, isOne: (name: string) => boolean) =>
  readdirSync(folder)
    .filter((name) => LOG.test(name) && isOne(name))
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }))
