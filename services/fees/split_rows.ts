/** What of each payment goes to whom, as it was worked out when it was priced. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { publicId, uuidOf } from '../ids.ts'
import type { Split, Splits } from './splits.ts'

export async function splitsOfPayment(db: Knex, payment: Uuid): Promise<Split[]> {
  const rows = await db('payment_splits').where({ payment_id: payment }).orderBy('line')
  return rows.map(({ merchant_id: merchant, amount }) => ({ merchant, amount }))
}

/**
 * Refuses an order for others than active merchants, or for the one whose order it is.
 * @throws {ServiceError} `beneficiary_not_found`.
 */
export async function refuseBeneficiaries(
  db: Knex,
  merchant: Uuid,
  { beneficiaries }: Splits,
): Promise<void> {
  const ids = beneficiaries.map((one) => uuidOf(one.merchant))
  const found = await db('merchants').whereIn('id', ids).where({ state: 'active' }).select('id')
  if (found.length < ids.length || ids.includes(merchant)) {
    throw new ServiceError('beneficiary_not_found')
  }
}

/**
 * How the payment of an order is shared, as `merchant` may see it, or anybody where it is left out:
 * whose order it is sees all of it. Undefined where it is none of theirs.
 */
export async function findSplits(db: Knex, id: Uuid, merchant: Uuid | undefined) {
  const payment = await db('payments')
    .where({ id, kind: 'order' })
    .whereRaw('(review_due_at IS NULL OR released_at IS NOT NULL)')
    .first('payee_id', 'net', 'currency')
  if (payment === undefined) return undefined
  const all = await splitsOfPayment(db, id)
  const isOwn = merchant === undefined || payment.payee_id === merchant
  const splits = isOwn ? all : all.filter((one) => one.merchant === merchant)
  if (!isOwn && splits.length === 0) return undefined
  const kept: bigint = payment.net - all.reduce((sum, { amount }) => sum + amount, 0n)
  const shown = { payment: publicId('pay', id), currency: payment.currency as string }
  return { ...shown, kept: isOwn ? kept.toString() : null, splits }
}
