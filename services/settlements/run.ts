/**
 * The run: makes the batches that are due. It reads entries that never change and locks an account
 * only for the unit of its payout, so payments go on beside it. Whoever dies in it has made whole
 * batches, and the next run goes on behind them.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Uuid } from '../../ledger/index.ts'
import type { BankAccount } from '../banking/bank_accounts.ts'
import { LASTING_REFUSALS } from '../banks/refusals.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { findInactive } from '../merchants/standing.ts'
import { reserveOf, unreserved } from '../reserves/reserve.ts'
import type { Settlement } from './batch.ts'
import { type Due, type Dues, dueBatches, type Schedule } from './due.ts'
import { batchOf, type Draft, draftBatches, hasLines, makeBatch, unpaid } from './settle.ts'
import { payoutAccounts } from './payout_accounts.ts'
import { findSchedules, loadCalendars } from './schedules.ts'
import { countTurns, returnTurns, type Taken, takeTurns, type Turn } from './turns.ts'

export interface Tally {
  /** Merchants, once for each currency and turn. */
  turns: number
  batches: number
  /** Of the batches, those that paid nothing out. */
  carried: number
  /**
   * Turns that are tried again: the merchant is not active, its reserve could not be kept, its bank
   * is closed, or somebody was quicker.
   */
  postponed: number
}

export interface RunOptions {
  /** Turns at a time: their batches are read together and written in few groups. */
  readonly slice?: number
  /** For how much of the time it works; it rests in between, for the sake of payments. */
  readonly pace_percent?: number
  /** After so long it begins no other slice: what is left waits for the next run. */
  readonly time_ms?: number
  readonly onProgress?: (tally: Readonly<Tally>, left: number) => void
}

const SLICE = 50
/** Longer than a slice ever takes. */
const LEASE_MS = 300_000
/** A bank that is closed is asked again after this. */
const WAIT_MS = 60_000

/** Makes every batch that is due now. Any number of workers may run it at a time. */
export async function runSettlements(context: Context, options: RunOptions = {}): Promise<Tally> {
  const { slice = SLICE, pace_percent = 100, onProgress = () => {} } = options
  const ends = performance.now() + (options.time_ms ?? Number.POSITIVE_INFINITY)
  const tally: Tally = { turns: 0, batches: 0, carried: 0, postponed: 0 }
  let left = await countTurns(context.db, context.now())
  while (performance.now() < ends) {
    const started = performance.now()
    const now = context.now()
    const until = new Date(now.getTime() + LEASE_MS)
    const turns = await takeTurns(context.db, { now, until, limit: slice })
    if (turns.length === 0) break
    await settleTurns(context, turns, { now, until }, tally)
    tally.turns += turns.length
    left = Math.max(0, left - turns.length)
    onProgress(tally, left)
    const worked_ms = performance.now() - started
    await pause((worked_ms * (100 - pace_percent)) / pace_percent)
  }
  return tally
}

/** A worker that is told to stop waits for what it is doing. */
const RUN_MS = 4_000

/** The worker's repeated run, with what it did for the metrics and the log. */
export function openSettlements(context: Context): () => Promise<void> {
  const { config, log, metrics } = context
  const all: Tally = { turns: 0, batches: 0, carried: 0, postponed: 0 }
  let waiting = 0
  metrics.total('florin_settlement_batches_total', 'Batches made', () => all.batches)
  metrics.total('florin_settlements_postponed_total', 'Turns put off', () => all.postponed)
  metrics.gauge('florin_settlements_waiting', 'Merchants that are due', () => waiting)
  return async () => {
    const pace_percent = config.SETTLEMENT_PACE_PERCENT
    const onProgress: RunOptions['onProgress'] = (_, left) => (waiting = left)
    const done = await runSettlements(context, { pace_percent, time_ms: RUN_MS, onProgress })
    for (const name of ['turns', 'batches', 'carried', 'postponed'] as const) {
      all[name] += done[name]
    }
    if (done.turns > 0) log.info({ ...done, waiting }, 'merchants were settled')
  }
}

interface Work {
  readonly turn: Turn
  readonly dues: Dues
  /** How many of the dues are done. */
  done: number
  isPostponed: boolean
}

const keyOf = ({ merchant, currency }: Pick<Turn, 'merchant' | 'currency'>) =>
  `${merchant} ${currency}`

async function settleTurns(
  context: Context,
  turns: readonly Turn[],
  { now, until }: { readonly now: Date; readonly until: Date },
  tally: Tally,
): Promise<void> {
  const works = await worksOf(context, turns, now)
  await putOffInactive(context, works)
  await keepBefore(context, works)
  const accounts = await payoutAccounts(
    context.db,
    turns.map(({ merchant }) => merchant),
  )
  // A merchant that was left alone for days has several: the first of all, then the second of all.
  for (let round = 0; ; round += 1) {
    const open = works.filter(({ dues, isPostponed }) => dues.due.length > round && !isPostponed)
    if (open.length === 0) break
    await settleRound(context, open, round, accounts, tally)
  }
  tally.postponed += works.filter(({ isPostponed }) => isPostponed).length
  await returnTurns(
    context.db,
    works.map((work) => takenOf(work, now)),
    until,
  )
}

/** Whoever is suspended keeps what it has here, and is paid out once it is active again. */
async function putOffInactive({ db, log }: Context, works: readonly Work[]): Promise<void> {
  const inactive = await findInactive(
    db,
    works.map(({ turn }) => turn.merchant),
  )
  for (const work of works) {
    const { merchant } = work.turn
    if (work.dues.due.length === 0 || !inactive.has(merchant)) continue
    work.isPostponed = true
    log.info({ merchant, code: 'merchant_not_active' }, 'a merchant is not paid out; it waits')
  }
}

/** Whoever's reserve could not be kept is not paid out before it is. */
async function keepBefore(context: Context, works: readonly Work[]): Promise<void> {
  const merchants = works.map(({ turn }) => turn.merchant)
  const failed = new Set((await reserveOf(context, merchants)).map(keyOf))
  for (const work of works) work.isPostponed ||= failed.has(keyOf(work.turn))
}

async function worksOf({ db }: Context, turns: readonly Turn[], now: Date): Promise<Work[]> {
  const merchants = turns.map(({ merchant }) => merchant)
  const [schedules, calendars] = await Promise.all([
    findSchedules(db, merchants),
    loadCalendars(db),
  ])
  const ofTurn = new Map<string, Schedule[]>()
  for (const schedule of schedules) {
    const key = keyOf(schedule)
    ofTurn.set(key, [...(ofTurn.get(key) ?? []), schedule])
  }
  return turns.map((turn) => {
    const { settledTo } = turn
    const dues = dueBatches(ofTurn.get(keyOf(turn)) ?? [], calendars, { settledTo, now })
    return { turn, dues, done: 0, isPostponed: false }
  })
}

function takenOf({ turn, dues, done, isPostponed }: Work, now: Date): Taken {
  const settledTo = dues.due[done - 1]?.cutOff
  const nextAt = isPostponed ? new Date(now.getTime() + WAIT_MS) : dues.nextAt
  return { ...turn, settledTo, nextAt }
}

async function settleRound(
  context: Context,
  works: readonly Work[],
  round: number,
  accounts: ReadonlyMap<Uuid, BankAccount>,
  tally: Tally,
): Promise<void> {
  const dueOf = (work: Work) => work.dues.due[round]
  const wishes = works.map((work) => ({ ...work.turn, until: dueOf(work)?.cutOff }))
  const drafts = await draftBatches(context, wishes)
  const early = await unreserved(context.db, drafts)
  const ofTurn = new Map(works.map((work) => [keyOf(work.turn), work]))
  // Whoever has no account has nothing to settle; for the others it is taken back below.
  for (const work of works) work.done += 1
  const rings: Uuid[] = []
  await Promise.all(
    drafts.map(async (draft) => {
      const work = ofTurn.get(keyOf({ merchant: draft.merchant, currency: draft.range.currency }))
      const due = work && dueOf(work)
      if (work === undefined || due === undefined) return
      const to = accounts.get(draft.merchant)
      const made = early.has(draft) ? 'postponed' : await madeOf(context, draft, due, to, rings)
      work.isPostponed = made === 'postponed'
      if (work.isPostponed) work.done -= 1
      if (made === 'postponed' || made === 'nothing') return
      tally.batches += 1
      if (made === 'carried') tally.carried += 1
    }),
  )
  await context.queue.ring('instruction', rings)
}

/** Why nothing can be paid out, however often it is tried: the next cut-offs must not wait. */
const LASTING: ReadonlySet<string> = new Set(LASTING_REFUSALS.credit)

const lastingOf = (error: unknown) =>
  error instanceof ServiceError && LASTING.has(error.code) ? error.code : undefined

type Done = 'paid' | 'carried' | 'nothing' | 'postponed'

/** One batch, if there is anything to say in it. */
async function madeOf(
  context: Context,
  draft: Draft,
  { cutOff, schedule }: Due,
  to: BankAccount | undefined,
  rings: Uuid[],
): Promise<Done> {
  const least = schedule.minimumAmount
  const terms = { minimum: least, cutOff, bankAccount: to?.id ?? null }
  const batch = batchOf(draft, terms, context)
  if (batch.payout === 0n && !hasLines(draft)) return 'nothing'
  const { merchant } = draft
  try {
    return await written(context, batch, to, least, rings).catch((error: unknown) => {
      const failure = lastingOf(error)
      if (failure === undefined) throw error
      context.log.warn({ merchant, code: failure }, 'a batch cannot be paid out; it is carried')
      return hasLines(draft)
        ? written(context, unpaid(batch, failure), to, least, rings)
        : 'nothing'
    })
  } catch (error) {
    context.log.warn({ err: error, merchant }, 'a batch was not made; it is tried again')
    return 'postponed'
  }
}

async function written(
  context: Context,
  batch: Settlement,
  to: BankAccount | undefined,
  least: bigint,
  rings: Uuid[],
): Promise<Done> {
  const { outcome, instruction } = await makeBatch(context, batch, to, { least })
  const { refused } = JSON.parse(outcome.answer) as { refused?: string }
  if (instruction !== undefined) rings.push(instruction)
  if (refused === undefined) return batch.payout === 0n ? 'carried' : 'paid'
  throw new Error(refused)
}
