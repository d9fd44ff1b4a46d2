/**
 * Instructions that are handed over together, to banks that exchange files. Which go together is
 * committed before the bank hears of any; the same batch may be handed over again, with the same
 * contents, because the bank knows it by its reference. Nothing is ever sent under a new one.
 */
import type { Knex } from 'knex'
import { type BankAdapter, BankError, type Instruction as Order } from '../../adapters/adapter.ts'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { suffixOf } from '../ids.ts'
import { detailsOf, findBankAccountsById } from './bank_accounts.ts'
import { recordSteps } from './history.ts'
import { findBatch, type Instruction } from './instructions.ts'
import { NEXT, type State } from './machine.ts'
import { orderOf } from './orders.ts'

/** One run makes so many batches of a bank at most; the next one goes on. */
const BATCHES_MAX = 20
/** For what is done around the call. */
const LEASE_MARGIN_MS = 30_000
/** After a call that failed the wait doubles from here to here. */
const [RETRY_FIRST_MS, RETRY_LAST_MS] = [5_000, 900_000]

export const takesBatches = ({ banks }: Pick<Context, 'banks'>, bank: string): boolean =>
  banks.get(bank)?.capabilities.has('batch') === true

/** Forms what is due and hands over what is not known to have arrived. */
export async function runBatches(context: Context): Promise<void> {
  for (const bank of context.banks.values()) {
    if (!bank.capabilities.has('batch')) continue
    await formBatches(context, bank.name)
    await handOverAll(context, bank).catch((error: unknown) =>
      context.log.warn({ err: error, bank: bank.name }, 'a batch could not be handed over'),
    )
  }
}

interface Group {
  readonly direction: string
  readonly rail: string
  readonly currency: string
}

/** Full ones at once; others when their oldest instruction has waited long enough. */
async function formBatches(context: Context, bank: string): Promise<void> {
  for (let made = 0; made < BATCHES_MAX; made += 1) {
    if (!(await formBatch(context, bank))) return
  }
}

async function formBatch(context: Context, bank: string): Promise<boolean> {
  const { config, db, now } = context
  const at = now()
  return db.transaction(async (trx) => {
    // Two workers would only make two halves of one batch.
    const { rows } = await trx.raw(
      'SELECT pg_try_advisory_xact_lock(hashtextextended(?, 0)) AS won',
      [`batches ${bank}`],
    )
    if (rows[0]?.won !== true) return false
    const due = await dueGroup(trx, bank, config.BATCH_SIZE_MAX, before(at, config.BATCH_AFTER_MS))
    if (due === undefined) return false
    const ids: Uuid[] = await trx('instructions')
      .where({ bank, state: 'created', batch_id: null, name_due: false, ...due })
      .orderBy('id')
      .limit(config.BATCH_SIZE_MAX)
      .forUpdate()
      .skipLocked()
      .pluck('id')
    if (ids.length === 0) return false
    await assign(context, trx, bank, ids, at)
    return true
  })
}

const before = (at: Date, by_ms: number) => new Date(at.getTime() - by_ms)

/** The instructions that would go together next, if it is time. */
async function dueGroup(
  trx: Knex.Transaction,
  bank: string,
  size: number,
  oldest: Date,
): Promise<Group | undefined> {
  const groups = await trx('instructions')
    .where({ bank, state: 'created', batch_id: null, name_due: false })
    .groupBy('direction', 'rail', 'currency')
    .havingRaw('count(*) >= ? OR min(created_at) <= ?', [size, oldest])
    .orderByRaw('min(created_at)')
    .limit(1)
    .select('direction', 'rail', 'currency')
  return groups[0]
}

/**
 * They are `sent` from here on: whatever happens next, the bank may have heard of them. Whoever
 * held a lease of one has lost it.
 */
async function assign(
  { config }: Context,
  trx: Knex.Transaction,
  bank: string,
  ids: readonly Uuid[],
  at: Date,
): Promise<void> {
  const id = newId()
  await trx('instruction_batches').insert({
    ...{ id, reference: suffixOf(id).toUpperCase(), bank, instructions: ids.length },
    ...{ state: 'created', next_at: at, created_at: at, changed_at: at },
  })
  const nextAt = new Date(at.getTime() + config.ENQUIRY_FIRST_S * 1000)
  const [from, event] = ['created', 'sending'] as const
  const to = NEXT[from][event]
  const changed = await trx('instructions')
    .whereIn('id', ids)
    .where({ state: from })
    .update({
      ...{ batch_id: id, state: to, sent_at: at, last_sent_at: at, submissions: 1 },
      ...{ next_at: nextAt, lease: trx.raw('lease + 1'), leased_until: null, changed_at: at },
      attempts: 0,
    })
  if (changed !== ids.length) throw new Error(`batch ${id}: an instruction changed under our lock`)
  const step = { at, event, from, to, detail: null }
  await recordSteps(
    trx,
    ids.map((instruction) => ({ instruction, ...step })),
  )
}

interface Batch {
  readonly id: Uuid
  readonly reference: string
  readonly bank: string
  readonly state: 'created' | 'handed_over' | 'unknown'
  readonly instructions: number
  readonly submissions: number
  readonly lease: number
  readonly created_at: Date
}

async function handOverAll(context: Context, bank: BankAdapter): Promise<void> {
  const due: Uuid[] = await context
    .db('instruction_batches')
    .where({ bank: bank.name })
    .whereNot({ state: 'handed_over' })
    .where('next_at', '<=', context.now())
    .orderBy('next_at')
    .limit(BATCHES_MAX)
    .pluck('id')
  for (const id of due) await handOver(context, bank, id)
}

const FINAL: readonly State[] = ['settled', 'rejected', 'returned']

async function handOver(context: Context, bank: BankAdapter, id: Uuid): Promise<void> {
  // By a clock that nobody sets, as with one instruction: whoever was stopped has lost its lease.
  const until_ms = performance.now() + context.config.BANK_TIMEOUT_MS + LEASE_MARGIN_MS
  const batch = await leaseBatch(context, id)
  if (batch === undefined) return
  const instructions = await findBatch(context.db, id)
  const next = retryAt(context.now(), batch.submissions)
  const isOpen = instructions.every(({ state }) => state === 'sent' || state === 'unknown')
  // Where something has become of one, the bank has the batch, or a person decided or is about to.
  if (!isOpen) {
    const isKnown = instructions.some(({ state }) => FINAL.includes(state))
    const state = isKnown ? 'handed_over' : 'unknown'
    return write(context, batch, { state, reason: 'decided_meanwhile', next })
  }
  if (batch.submissions > 1) await tellAgain(context, batch)
  const { reference, created_at: createdAt } = batch
  try {
    const orders = await ordersOf(context, instructions)
    if (performance.now() >= until_ms) return
    await context.breakers.call(bank.name, () =>
      bank.submitBatch({ id: reference, createdAt, instructions: orders }),
    )
  } catch (error) {
    // Of a bug as of a bank's word: nothing is known to have arrived, and nothing is given up.
    const code = error instanceof BankError ? error.code : 'internal'
    const never = code === 'bank_unreachable' && batch.submissions === 1
    await write(context, batch, { state: never ? 'created' : 'unknown', reason: code, next })
    if (!(error instanceof BankError)) throw error
    return
  }
  await write(context, batch, { state: 'handed_over', reason: null })
}

/** The attempt is counted before it is made: whoever dies in it has still used it up. */
async function leaseBatch({ db, now, config }: Context, id: Uuid): Promise<Batch | undefined> {
  const at = now()
  const until = new Date(at.getTime() + config.BANK_TIMEOUT_MS + LEASE_MARGIN_MS)
  const rows: Batch[] = await db('instruction_batches')
    .where({ id })
    .whereNot({ state: 'handed_over' })
    .where('next_at', '<=', at)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', at))
    .update({
      ...{ lease: db.raw('lease + 1'), leased_until: until, changed_at: at },
      submissions: db.raw('submissions + 1'),
    })
    .returning('*')
  return rows[0]
}

const retryAt = (now: Date, submissions: number) =>
  new Date(now.getTime() + Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (submissions - 1)))

async function write(
  { db, now }: Context,
  { id, lease }: Batch,
  to: {
    readonly state: Batch['state']
    readonly reason: string | null
    readonly next?: Date
  },
): Promise<void> {
  const { state, reason, next } = to
  const change = { state, reason, changed_at: now(), leased_until: null }
  await db('instruction_batches')
    .where({ id, lease })
    .update({ ...change, ...(next !== undefined && { next_at: next }) })
}

/** In the order of their ids: the same instructions are always the same batch. */
async function ordersOf(context: Context, instructions: readonly Instruction[]): Promise<Order[]> {
  const ids = [...new Set(instructions.map(({ bankAccount }) => bankAccount))]
  const accounts = await findBankAccountsById(context.db, ids)
  return instructions.map((instruction) => {
    const known = accounts.get(instruction.bankAccount)
    return orderOf(instruction, known === undefined ? null : detailsOf(context, known))
  })
}

/**
 * A copy that is handed over again may be on its way too: the bank's cut-off counts from it, and
 * enquiries about an earlier one are over.
 */
async function tellAgain({ db, now }: Context, { id }: Batch): Promise<void> {
  const told = { last_sent_at: now(), enquiries: 0, submissions: db.raw('submissions + 1') }
  await db('instructions')
    .where({ batch_id: id })
    .whereIn('state', ['sent', 'unknown'])
    .update(told)
}

/** So long nobody rings for what waits for others. */
const LOOK_AGAIN_MS = 600_000

/**
 * What a single instruction of a bank that takes batches comes to: it waits for others; or, when
 * the bank knows nothing of it after the cut-off, its batch is handed over again, the same.
 */
export async function leaveToBatch({ db, now }: Context, from: Instruction) {
  if (from.submissions > 0) {
    const change = { state: 'unknown', next_at: now(), changed_at: now() }
    await db('instruction_batches')
      .whereIn('id', db('instructions').where({ id: from.id }).select('batch_id'))
      .where({ state: 'handed_over' })
      .update(change)
  }
  return { from, nextAt: new Date(now().getTime() + LOOK_AGAIN_MS) }
}
