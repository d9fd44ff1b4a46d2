/**
 * Keeps back what the rules ask for. Nobody who pays waits for it: a worker looks at the entries of
 * a merchant's account that it has not looked at yet, and a settlement does before it pays out.
 */
import type { Knex } from 'knex'
import {
  createTransfers,
  type Currency,
  findAccounts,
  lockAvailable,
  movedByDay,
  newId,
  newUnitId,
  type Uuid,
} from '../../ledger/index.ts'
import { merchantAccountOf, merchantReserveOf } from '../books/chart.ts'
import { reserved } from '../books/refund_postings.ts'
import type { Context } from '../context.ts'
import { eventRow, recordEvent } from '../events/events.ts'
import { takeTurn } from './draw.ts'
import {
  dayKeyOf,
  fixedHeld,
  type Reserve,
  reserveOut,
  reserveRow,
  reservesOfDays,
  rulesOf,
} from './rows.ts'
import { keptOf, type Takings } from './rules.ts'

/** One unit has room for 256 transfers. */
const PER_UNIT_MAX = 200

/** So many merchants are looked up at once. */
const BATCH = 500

/** All merchants that have rules: as much as is due, one short transaction for each. */
export async function reserveAll(context: Context): Promise<void> {
  let last: Marked | undefined
  for (;;) {
    const marked = await marksAfter(context.db, last)
    await keepFrom(context, marked)
    last = marked.at(-1)
    if (marked.length < BATCH) return
  }
}

/**
 * Those of these merchants who have rules, as many as a run settles at a time.
 * @returns those from whom nothing could be kept: they must not be paid out meanwhile.
 */
export async function reserveOf(
  context: Context,
  merchants: readonly Uuid[],
): Promise<readonly Marked[]> {
  const marked: Marked[] = await context
    .db('reserve_marks')
    .whereIn('merchant_id', merchants)
    .select({ merchant: 'merchant_id', currency: 'currency' })
  return keepFrom(context, marked)
}

/** One that fails is nobody else's matter. */
async function keepFrom(context: Context, marked: readonly Marked[]): Promise<readonly Marked[]> {
  const failed: Marked[] = []
  for (const one of marked) {
    const { merchant, currency } = one
    try {
      await reserveDue(context, merchant, currency)
    } catch (error) {
      failed.push(one)
      const said = 'nothing could be kept; it is tried again'
      context.log.error({ err: error, merchant, currency }, said)
    }
  }
  return failed
}

export interface Marked {
  readonly merchant: Uuid
  readonly currency: Currency
}

function marksAfter(db: Knex, last: Marked | undefined): Promise<Marked[]> {
  const query = db('reserve_marks').orderBy(['merchant_id', 'currency']).limit(BATCH)
  if (last !== undefined) {
    void query.whereRaw('(merchant_id, currency) > (?::uuid, ?)', [last.merchant, last.currency])
  }
  return query.select({ merchant: 'merchant_id', currency: 'currency' })
}

/**
 * Keeps of what the merchant was paid since it was last looked at; at once or never, however many
 * ask at the same time. What is not available when it is looked at is not kept later either.
 * @returns how much is kept now, in minor units.
 */
export async function reserveDue(
  context: Context,
  merchant: Uuid,
  currency: Currency,
): Promise<bigint> {
  const due = await dueOf(context, { merchant, currency })
  if (due === undefined) return 0n
  return context.db.transaction((trx) => reserveInside(context, trx, due))
}

/**
 * `work`, with all kept that is due: nobody moves the account in between. It must be short, as
 * whoever pays the merchant waits for it.
 */
export async function withReserved<Made>(
  context: Context,
  { merchant, currency }: Marked,
  work: (db: Knex) => Promise<Made>,
): Promise<Made> {
  const due = await dueOf(context, { merchant, currency })
  if (due === undefined) return work(context.db)
  return context.db.transaction(async (trx) => {
    await takeTurn(trx, due)
    await lockAvailable(trx, [due.account, due.reserve])
    await reserveInside(context, trx, due)
    return work(trx)
  })
}

/** Undefined where no rule asks for anything. */
async function dueOf(context: Context, { merchant, currency }: Marked): Promise<Due | undefined> {
  if ((await rulesOf(context.db, merchant, currency)).length === 0) return undefined
  const [account, reserve] = await Promise.all([
    merchantAccountOf(context, merchant, currency),
    merchantReserveOf(context, merchant, currency),
  ])
  return { merchant, currency, account, reserve }
}

/** What a batch would cover of a merchant's account. */
interface Covered {
  readonly merchant: Uuid
  readonly range: { readonly account: Uuid; readonly currency: Currency; readonly last: bigint }
}

/**
 * Those with takings of which nothing has been kept: somebody paid after it had been looked.
 * What they cover never changes, so the answer holds for as long as nobody keeps more.
 */
export async function unreserved<Batch extends Covered>(
  db: Knex,
  batches: readonly Batch[],
): Promise<ReadonlySet<Batch>> {
  const rows: Mark[] = await db('reserve_marks')
    .whereIn(
      'merchant_id',
      batches.map(({ merchant }) => merchant),
    )
    .select({ merchant: 'merchant_id', currency: 'currency', beyond: 'last_entry' })
  const found = new Set<Batch>()
  for (const batch of batches) {
    const { account, currency, last } = batch.range
    const mark = rows.find((one) => one.merchant === batch.merchant && one.currency === currency)
    if (mark === undefined || last <= mark.beyond) continue
    const takings = await takingsOf(db, account, { beyond: mark.beyond, last })
    if (takings.length > 0) found.add(batch)
  }
  return found
}

interface Mark extends Marked {
  readonly beyond: bigint
}

interface Due {
  readonly merchant: Uuid
  readonly currency: Currency
  readonly account: Uuid
  readonly reserve: Uuid
}

async function reserveInside(
  context: Context,
  trx: Knex.Transaction,
  { merchant, currency, account, reserve }: Due,
): Promise<bigint> {
  await takeTurn(trx, { merchant, currency })
  // Whoever adds one has the turn too: none is added from here on.
  const rules = await rulesOf(trx, merchant, currency)
  const where = { merchant_id: merchant, currency }
  const mark = await trx('reserve_marks').where(where).first('last_entry')
  const [now] = await findAccounts(trx, { id: account })
  const [beyond, last] = [mark?.last_entry ?? 0n, now?.lastEntry ?? 0n]
  if (last <= beyond) return 0n
  const takings = await takingsOf(trx, account, { beyond, last })
  const available = await lockAvailable(trx, [account, reserve])
  const means = { available: available(account), fixed: await fixedHeld(trx, where) }
  const at = context.now()
  const kept = keptOf(rules, takings, means).map((one) => ({
    ...{ ...one, id: newId(), merchant, currency, unit: newUnitId(), remaining: one.amount },
    ...{ beyond, last, createdAt: at },
  }))
  for (let first = 0; first < kept.length; first += PER_UNIT_MAX) {
    const part = kept.slice(first, first + PER_UNIT_MAX)
    await keep(trx, { merchant: account, reserve }, part, at)
  }
  await trx('reserve_marks').where(where).update({ last_entry: last.toString() })
  return kept.reduce((sum, { amount }) => sum + amount, 0n)
}

/** What it was paid and was given of others' payments, less what it gave of its own. */
async function takingsOf(
  db: Knex,
  account: Uuid,
  range: { readonly beyond: bigint; readonly last: bigint },
): Promise<Takings[]> {
  const daily = await movedByDay(db, account, { codes: ['payment', 'split'], ...range })
  return daily
    .map(({ day, credited, debited }) => ({ day, paid: credited - debited }))
    .filter(({ paid }) => paid > 0n)
}

/** The money, the rows and the events of some reserves, in one unit. */
async function keep(
  trx: Knex.Transaction,
  accounts: Readonly<Record<'merchant' | 'reserve', Uuid>>,
  some: readonly Reserve[],
  at: Date,
): Promise<void> {
  const [first] = some
  if (first === undefined) return
  const known = await reservesOfDays(trx, some)
  const [made, grown]: [Reserve[], Reserve[]] = [[], []]
  const kept = some.map((one) => {
    const before = known.get(dayKeyOf(one))
    if (before === undefined) made.push({ ...one, unit: first.unit })
    else grown.push(grownBy(before, one))
    return { reserve: before?.id ?? one.id, amount: one.amount }
  })
  const transfers = reserved(accounts, first.currency, kept)
  await createTransfers(trx, { id: first.unit, at, transfers })
  if (made.length > 0) {
    await trx('reserves').insert(made.map(reserveRow))
    await trx('events').insert(made.map((one) => eventRow(heldEvent(one, at))))
  }
  for (const one of grown) {
    const { id, amount, remaining, last } = one
    const text = { amount: `${amount}`, remaining: `${remaining}`, to_entry: `${last}` }
    await trx('reserves')
      .where({ id })
      .update({ ...text, changed_at: at })
    await recordEvent(trx, heldEvent(one, at))
  }
}

/** What a rule keeps of one day is one reserve, however often the day is looked at. */
const grownBy = (before: Reserve, { amount, last }: Reserve): Reserve => ({
  ...{ ...before, last },
  ...{ amount: before.amount + amount, remaining: before.remaining + amount },
})

const heldEvent = (one: Reserve, at: Date) => {
  const data = reserveOut(one)
  return { type: 'reserve.held' as const, object: data.id, merchant: one.merchant, data, at }
}
