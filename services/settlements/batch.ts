/** A batch: a range of a merchant's entries, what they come to, and what was paid out of it. */
import type { Knex } from 'knex'
import type { AccountId, CompanionRow, Currency, TransferId, Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { Summed } from './sums.ts'

export interface Settlement extends Summed {
  readonly id: Uuid
  readonly merchant: Uuid
  readonly account: AccountId
  readonly currency: Currency
  /** 1, 2, 3, ... of the account. */
  readonly number: number
  /** The last entry before it, and its own last one. */
  readonly fromEntry: bigint
  readonly toEntry: bigint
  /** It covers what was recorded before; null: what there was when it was asked for. */
  readonly cutOff: Date | null
  readonly carriedIn: bigint
  readonly total: bigint
  readonly payout: bigint
  readonly carriedOut: bigint
  /** By which entry the payout left the account; the rest, where to; null: nothing is paid out. */
  readonly payoutEntry: bigint | null
  readonly transfer: TransferId | null
  readonly bankAccount: Uuid | null
  readonly state: 'processing' | 'settled' | 'failed' | 'returned' | 'carried'
  readonly failure: string | null
  readonly createdAt: Date
  readonly changedAt: Date
}

/** What it comes to, called alike in the table and in the API. */
const amountsOf = (batch: Settlement) => ({
  ...{ payments: batch.payments, gross: batch.gross.toString(), fee: batch.fee.toString() },
  ...{ tax: batch.tax.toString(), refunds: batch.refunds.toString() },
  ...{ fees_returned: batch.feesReturned.toString(), reserves: batch.reserves.toString() },
  ...{ disputes: batch.disputes.toString(), reversals: batch.reversals.toString() },
  ...{ returned_payouts: batch.returnedPayouts.toString(), splits: batch.splits.toString() },
  ...{ other: batch.other.toString(), net: batch.net.toString() },
  ...{ carried_in: batch.carriedIn.toString(), total: batch.total.toString() },
  ...{ payout: batch.payout.toString(), carried_out: batch.carriedOut.toString() },
})

export const toRow = (batch: Settlement): CompanionRow => ({
  ...{ id: batch.id, merchant_id: batch.merchant, account_id: batch.account },
  ...{ currency: batch.currency, number: batch.number, cut_off: batch.cutOff },
  ...{ from_entry: batch.fromEntry.toString(), to_entry: batch.toEntry.toString() },
  ...amountsOf(batch),
  ...{ payout_entry: batch.payoutEntry?.toString() ?? null, transfer_id: batch.transfer },
  ...{ bank_account_id: batch.bankAccount, state: batch.state, failure: batch.failure },
  ...{ created_at: batch.createdAt, changed_at: batch.changedAt },
})

interface Row {
  readonly id: Uuid
  readonly merchant_id: Uuid
  readonly account_id: AccountId
  readonly currency: Currency
  readonly number: number
  readonly from_entry: bigint
  readonly to_entry: bigint
  readonly cut_off: Date | null
  readonly payments: number
  readonly gross: bigint
  readonly fee: bigint
  readonly tax: bigint
  readonly refunds: bigint
  readonly fees_returned: bigint
  readonly reserves: bigint
  readonly disputes: bigint
  readonly reversals: bigint
  readonly returned_payouts: bigint
  readonly splits: bigint
  readonly other: bigint
  readonly net: bigint
  readonly carried_in: bigint
  readonly total: bigint
  readonly payout: bigint
  readonly carried_out: bigint
  readonly payout_entry: bigint | null
  readonly transfer_id: TransferId | null
  readonly bank_account_id: Uuid | null
  readonly state: Settlement['state']
  readonly failure: string | null
  readonly created_at: Date
  readonly changed_at: Date
}

const fromRow = (row: Row): Settlement => ({
  ...{ id: row.id, merchant: row.merchant_id, account: row.account_id, currency: row.currency },
  ...{ number: row.number, fromEntry: row.from_entry, toEntry: row.to_entry, cutOff: row.cut_off },
  ...{ payments: row.payments, gross: row.gross, fee: row.fee, tax: row.tax, net: row.net },
  ...{ refunds: row.refunds, feesReturned: row.fees_returned, reserves: row.reserves },
  ...{ disputes: row.disputes, reversals: row.reversals, splits: row.splits, other: row.other },
  ...{ returnedPayouts: row.returned_payouts, carriedIn: row.carried_in, total: row.total },
  ...{ payout: row.payout, carriedOut: row.carried_out, payoutEntry: row.payout_entry },
  ...{ transfer: row.transfer_id, bankAccount: row.bank_account_id, state: row.state },
  ...{ failure: row.failure, createdAt: row.created_at, changedAt: row.changed_at },
})

/** Of any merchant where none is named: an operator may see all. */
export async function findSettlement(
  db: Knex,
  id: Uuid,
  merchant: Uuid | undefined,
): Promise<Settlement | undefined> {
  const where = merchant === undefined ? { id } : { id, merchant_id: merchant }
  const row: Row | undefined = await db('settlements').where(where).first()
  return row && fromRow(row)
}

interface Filter {
  readonly merchant: Uuid | undefined
  readonly before: Uuid | undefined
  readonly limit: number
}

export async function findSettlements(
  db: Knex,
  { merchant, before, limit }: Filter,
): Promise<Settlement[]> {
  const query = db('settlements').orderBy('id', 'desc').limit(limit)
  if (merchant !== undefined) query.where({ merchant_id: merchant })
  if (before !== undefined) query.where('id', '<', before)
  const rows: Row[] = await query
  return rows.map(fromRow)
}

/** A payout of a batch, as an entry of the account. */
export interface Payout {
  readonly entry: bigint
  readonly amount: bigint
}

/** The payouts of batches that left an account by one of these entries. */
export async function payoutsWithin(
  db: Knex,
  account: AccountId,
  { beyond, last }: { readonly beyond: bigint; readonly last: bigint },
): Promise<Payout[]> {
  return db('settlements')
    .where({ account_id: account })
    .where('payout_entry', '>', beyond.toString())
    .where('payout_entry', '<=', last.toString())
    .orderBy('payout_entry')
    .select({ entry: 'payout_entry', amount: 'payout' })
}

/** Where an account's batches end, and the payouts that left it since. */
export interface Stand {
  readonly account: AccountId
  readonly number: number
  readonly toEntry: bigint
  readonly carriedOut: bigint
  readonly payouts: readonly Payout[]
}

const STANDS = `
  SELECT a.id AS account, coalesce(b.number, 0) AS number, coalesce(b.to_entry, 0) AS to_entry,
         coalesce(b.carried_out, 0) AS carried_out, coalesce(p.payouts, '[]') AS payouts
    FROM unnest(?::uuid[]) AS a (id)
    LEFT JOIN LATERAL (SELECT number, to_entry, carried_out FROM settlements
                        WHERE account_id = a.id ORDER BY number DESC LIMIT 1) b ON true
    LEFT JOIN LATERAL (
         SELECT json_agg(json_build_array(payout_entry::text, payout::text)) AS payouts
           FROM settlements
          WHERE account_id = a.id AND payout_entry > coalesce(b.to_entry, 0)) p ON true`

interface StandRow {
  readonly account: AccountId
  readonly number: number
  readonly to_entry: bigint
  readonly carried_out: bigint
  readonly payouts: readonly (readonly [entry: string, amount: string])[]
}

export async function standsOf(
  db: Knex,
  accounts: readonly AccountId[],
): Promise<ReadonlyMap<AccountId, Stand>> {
  const { rows } = await db.raw<{ rows: StandRow[] }>(STANDS, [[...accounts]])
  const stands = rows.map(({ account, number, to_entry, carried_out, payouts }) => ({
    ...{ account, number, toEntry: to_entry, carriedOut: carried_out },
    payouts: payouts.map(([entry, amount]) => ({ entry: BigInt(entry), amount: BigInt(amount) })),
  }))
  return new Map(stands.map((stand) => [stand.account, stand]))
}

export const settlementOut = (batch: Settlement) => ({
  ...{ id: publicId('set', batch.id), merchant: publicId('mer', batch.merchant) },
  ...{ number: batch.number, currency: batch.currency, state: batch.state },
  bank_account: batch.bankAccount === null ? null : publicId('bac', batch.bankAccount),
  ...{ from_entry: batch.fromEntry.toString(), to_entry: batch.toEntry.toString() },
  cut_off: batch.cutOff?.toISOString() ?? null,
  ...amountsOf(batch),
  failure: batch.failure,
  created_at: batch.createdAt.toISOString(),
  changed_at: batch.changedAt.toISOString(),
})
