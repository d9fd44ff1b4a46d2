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

/** A beneficiary of a payment, and how it stands with it. */
export interface Share extends Split {
  readonly line: number
  /** Of `amount`, what it was given so far: less while not all is captured. */
  readonly given: bigint
  /** Of what it was given, its part of what was refunded. */
  readonly returned: bigint
}

async function sumByLine(db: Knex, table: 'capture_splits' | 'refund_splits', payment: Uuid) {
  const rows = await db(table).where({ payment_id: payment }).select('line', 'amount')
  const sums = new Map<number, bigint>()
  for (const { line, amount } of rows) sums.set(line, (sums.get(line) ?? 0n) + amount)
  return sums
}

/** @param isCaptured whether it is given by captures, and not all at once. */
export async function sharesOfPayment(
  db: Knex,
  payment: Uuid,
  isCaptured: boolean,
): Promise<Share[]> {
  const rows = await db('payment_splits').where({ payment_id: payment }).orderBy('line')
  if (rows.length === 0) return []
  const given = isCaptured ? await sumByLine(db, 'capture_splits', payment) : undefined
  const returned = await sumByLine(db, 'refund_splits', payment)
  return rows.map(({ line, merchant_id: merchant, amount }) => ({
    ...{ line, merchant, amount },
    given: given === undefined ? amount : (given.get(line) ?? 0n),
    returned: returned.get(line) ?? 0n,
  }))
}

/** What a capture gave. */
export async function recordShares(
  trx: Knex.Transaction,
  { payment, capture }: { readonly payment: Uuid; readonly capture: Uuid },
  given: readonly { readonly line: number; readonly amount: bigint }[],
): Promise<void> {
  if (given.length === 0) return
  await trx('capture_splits').insert(
    given.map(({ line, amount }) => ({
      ...{ capture_id: capture, payment_id: payment, line, amount: amount.toString() },
    })),
  )
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
    .first('payee_id', 'net', 'currency', 'captured')
  if (payment === undefined) return undefined
  const shares = await sharesOfPayment(db, id, payment.captured !== null)
  const all = shares.map(({ given, ...share }) => ({ ...share, amount: given }))
  const isOwn = merchant === undefined || payment.payee_id === merchant
  const splits = isOwn ? all : all.filter((one) => one.merchant === merchant)
  if (!isOwn && splits.length === 0) return undefined
  const kept: bigint = payment.net - all.reduce((sum, { amount }) => sum + amount, 0n)
  const shown = { payment: publicId('pay', id), currency: payment.currency as string }
  return { ...shown, kept: isOwn ? kept.toString() : null, splits }
}
