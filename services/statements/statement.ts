/** A merchant's statement, of a batch or of a month: from an opening by its lines to a closing. */
import type { Knex } from 'knex'
import {
  type AccountId,
  type Currency,
  endsBefore,
  sumRanges,
  type Uuid,
} from '../../ledger/index.ts'
import { findMerchantAccount } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { payoutsWithin, type Settlement } from '../settlements/batch.ts'
import { type Line, linesOf } from '../settlements/lines.ts'
import { type Summed, summed } from '../settlements/sums.ts'
import { clocksOf, monthSpan } from './months.ts'

export interface Statement {
  /** Names the file and the message, the same every time. */
  readonly id: string
  readonly title: string
  readonly merchant: { readonly id: string; readonly name: string; readonly since: Date }
  readonly currency: Currency
  /** Where clocks show the times that people read. */
  readonly timeZone: string
  /** The first moment and the one after the last. */
  readonly from: Date
  readonly to: Date
  /** Minor units, like all amounts; `opening + sums.net - payouts = closing`. */
  readonly opening: bigint
  readonly sums: Summed
  readonly payouts: bigint
  readonly closing: bigint
  /** In the order of their recording; their nets lead from the opening to the closing. */
  readonly lines: AsyncIterable<Line>
}

async function merchantOf(db: Knex, id: Uuid) {
  const row: { name: string; created_at: Date } | undefined = await db('merchants')
    .where({ id })
    .first('name', 'created_at')
  if (row === undefined) throw new ServiceError('not_found')
  return { id: publicId('mer', id), name: row.name, since: row.created_at }
}

/** What a batch opens with is what the one before left over; it closes with what it leaves. */
export async function batchStatement({ db }: Context, batch: Settlement): Promise<Statement> {
  const { account, currency, number, fromEntry: beyond, toEntry: last } = batch
  const [merchant, clocks, gone, before] = await Promise.all([
    merchantOf(db, batch.merchant),
    clocksOf(db, batch.merchant),
    payoutsWithin(db, account, { beyond, last }),
    endOfBatch(db, account, number - 1),
  ])
  const without = gone.map(({ entry }) => entry)
  const lines = linesOf(db, account, { beyond, last, without })
  return {
    ...{ id: publicId('set', batch.id), title: `Settlement ${number}`, merchant, currency },
    ...{ timeZone: clocks(batch.createdAt), from: before ?? merchant.since },
    to: batch.cutOff ?? batch.createdAt,
    ...{ opening: batch.carriedIn, sums: batch, payouts: batch.payout },
    ...{ closing: batch.carriedOut, lines: withPayout(lines, batch) },
  }
}

/** Where a batch ends; the first one begins with the merchant. */
async function endOfBatch(db: Knex, account: AccountId, number: number): Promise<Date | undefined> {
  const row: { cut_off: Date | null; created_at: Date } | undefined = await db('settlements')
    .where({ account_id: account, number })
    .first('cut_off', 'created_at')
  return row?.cut_off ?? row?.created_at
}

async function* withPayout(lines: AsyncIterable<Line>, batch: Settlement): AsyncGenerator<Line> {
  yield* lines
  const { payout, payoutEntry, transfer } = batch
  if (payoutEntry === null || transfer === null) return
  yield {
    ...{ entry: payoutEntry, code: 'payout', reference: batch.id, transfer },
    orderReference: null,
    ...{ gross: -payout, fee: 0n, tax: 0n, net: -payout, balance: batch.carriedOut },
    at: batch.createdAt,
  }
}

/**
 * All that moved the merchant's account in a month, as far as it has come.
 * @throws {ServiceError} `not_found` without such a merchant.
 */
export async function monthStatement(
  context: Context,
  { merchant, currency, month }: { merchant: Uuid; currency: Currency; month: string },
): Promise<Statement> {
  const { db } = context
  const named = await merchantOf(db, merchant)
  const [account, clocks] = await Promise.all([
    findMerchantAccount(context, merchant, currency),
    clocksOf(db, merchant),
  ])
  const { from, to } = monthSpan(month, clocks)
  const head = {
    ...{ id: `${named.id}-${month}-${currency}`, title: `Statement ${month}`, merchant: named },
    ...{ currency, timeZone: clocks(to), from, to },
  }
  if (account === undefined) {
    const sums = summed([], 0n)
    return { ...head, opening: 0n, payouts: 0n, sums, closing: 0n, lines: none() }
  }
  const [opens, closes] = await endsBefore(db, account, [from, to])
  const [beyond, last] = [opens?.entry ?? 0n, closes?.entry ?? 0n]
  const [[range], gone] = await Promise.all([
    sumRanges(db, [{ account, beyond, until: to }]),
    payoutsWithin(db, account, { beyond, last }),
  ])
  const payouts = gone.reduce((sum, { amount }) => sum + amount, 0n)
  return {
    ...{ ...head, opening: opens?.balance ?? 0n, payouts },
    ...{ sums: summed(range?.sums ?? [], payouts), closing: closes?.balance ?? 0n },
    lines: linesOf(db, account, { beyond, last }),
  }
}

/** Of an account that nobody has needed yet. */
async function* none(): AsyncGenerator<Line> {}
