/** Whether a merchant may be paid. */
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
