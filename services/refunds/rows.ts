/** Refunds as they are kept, and as the API shows them. */
import type { Knex } from 'knex'
import type { Currency, UnitId, Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { Sources } from './policy.ts'

export interface Refund {
  readonly id: Uuid
  readonly payment: Uuid
  readonly merchant: Uuid
  /** 1, 2, 3, ... of its payment. */
  readonly number: number
  /** The unit that moved it. */
  readonly unit: UnitId
  /** What the payer gets, in minor units like all that follows. */
  readonly amount: bigint
  readonly currency: Currency
  /** What the merchant gets back of what it was charged. */
  readonly feeReturned: bigint
  readonly taxReturned: bigint
  /** What beneficiaries of the payment gave back of their shares. */
  readonly sharesReturned: bigint
  /** Which of the merchant's money paid for the rest. */
  readonly sources: Sources
  readonly reason: string | null
  readonly createdAt: Date
}

interface Row {
  readonly id: Uuid
  readonly payment_id: Uuid
  readonly merchant_id: Uuid
  readonly number: number
  readonly transfer_id: UnitId
  readonly amount: bigint
  readonly currency: Currency
  readonly fee_returned: bigint
  readonly tax_returned: bigint
  readonly shares_returned: bigint
  readonly from_balance: bigint
  readonly from_reserve: bigint
  readonly from_limit: bigint
  readonly reason: string | null
  readonly created_at: Date
}

const fromRow = (row: Row): Refund => ({
  ...{ id: row.id, payment: row.payment_id, merchant: row.merchant_id, number: row.number },
  ...{ unit: row.transfer_id, amount: row.amount, currency: row.currency },
  ...{ feeReturned: row.fee_returned, taxReturned: row.tax_returned },
  sharesReturned: row.shares_returned,
  sources: { balance: row.from_balance, reserve: row.from_reserve, limit: row.from_limit },
  ...{ reason: row.reason, createdAt: row.created_at },
})

export const refundRow = ({ sources, ...refund }: Refund) => ({
  ...{ id: refund.id, payment_id: refund.payment, merchant_id: refund.merchant },
  ...{ number: refund.number, transfer_id: refund.unit, amount: `${refund.amount}` },
  ...{ currency: refund.currency, fee_returned: `${refund.feeReturned}` },
  shares_returned: `${refund.sharesReturned}`,
  ...{ tax_returned: `${refund.taxReturned}`, from_balance: `${sources.balance}` },
  ...{ from_reserve: `${sources.reserve}`, from_limit: `${sources.limit}` },
  ...{ reason: refund.reason, created_at: refund.createdAt },
})

/** By payment, in the order in which they were made. */
export async function refundsOf(
  db: Knex,
  payments: readonly Uuid[],
): Promise<ReadonlyMap<Uuid, readonly Refund[]>> {
  const refunds = new Map<Uuid, Refund[]>()
  if (payments.length === 0) return refunds
  const rows: Row[] = await db('refunds')
    .whereIn('payment_id', payments)
    .orderBy(['payment_id', 'number'])
  for (const row of rows) {
    refunds.set(row.payment_id, [...(refunds.get(row.payment_id) ?? []), fromRow(row)])
  }
  return refunds
}

export async function findRefund(db: Knex, id: Uuid): Promise<Refund | undefined> {
  const row: Row | undefined = await db('refunds').where({ id }).first()
  return row && fromRow(row)
}

export const refundOut = ({ sources, ...refund }: Refund) => ({
  id: publicId('rfd', refund.id),
  payment: publicId('pay', refund.payment),
  merchant: publicId('mer', refund.merchant),
  amount: refund.amount.toString(),
  currency: refund.currency,
  fee_returned: refund.feeReturned.toString(),
  tax_returned: refund.taxReturned.toString(),
  shares_returned: refund.sharesReturned.toString(),
  paid_from: {
    balance: sources.balance.toString(),
    reserve: sources.reserve.toString(),
    limit: sources.limit.toString(),
  },
  reason: refund.reason,
  created_at: refund.createdAt.toISOString(),
})
