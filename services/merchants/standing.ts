/** Whether a merchant may be paid, and paid out. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'

export const MERCHANT_STATES = ['draft', 'review', 'active', 'suspended'] as const
export type MerchantState = (typeof MERCHANT_STATES)[number]

/** @throws {ServiceError} `not_found`, or `merchant_not_active`. */
export async function refuseInactive(db: Knex, merchant: Uuid): Promise<void> {
  const row = await db('merchants').where({ id: merchant }).first('state')
  if (row === undefined) throw new ServiceError('not_found')
  if (row.state !== 'active') throw new ServiceError('merchant_not_active')
}

/** Those of these merchants who are not active. */
export async function findInactive(
  db: Knex,
  merchants: readonly Uuid[],
): Promise<ReadonlySet<Uuid>> {
  const rows = await db('merchants')
    .whereIn('id', merchants)
    .whereNot({ state: 'active' })
    .select('id')
  return new Set(rows.map(({ id }) => id))
}
